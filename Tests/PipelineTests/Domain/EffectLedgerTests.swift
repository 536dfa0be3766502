import Testing

@testable import Pipeline

@Suite("Effect ledger")
struct EffectLedgerTests {
    private func identity(_ number: Int) -> OrderIdentity {
        OrderIdentity(origin: "0123456789abcdef", orderID: Int64(number))
    }

    /// A call that #expect can be given, which takes no mutating one.
    private func insert(_ ledger: inout EffectLedger, _ effect: Effect, of identity: OrderIdentity) -> Bool {
        ledger.insert(effect, of: identity)
    }

    @Test("an effect is new once")
    func once() {
        var ledger = EffectLedger()
        #expect(!ledger.contains(.paymentProcessed, of: identity(1)))
        #expect(insert(&ledger, .paymentProcessed, of: identity(1)))
        #expect(!insert(&ledger, .paymentProcessed, of: identity(1)))
        #expect(ledger.contains(.paymentProcessed, of: identity(1)))
        #expect(ledger.count == 1)
    }

    @Test("each effect of an order is counted by itself")
    func effects() {
        var ledger = EffectLedger()
        for effect in Effect.allCases {
            #expect(insert(&ledger, effect, of: identity(1)))
            #expect(insert(&ledger, effect, of: identity(2)))
        }
        for effect in Effect.allCases { #expect(!insert(&ledger, effect, of: identity(1))) }
        #expect(ledger.count == Effect.allCases.count * 2)
    }

    @Test("remembers the last 100,000, and forgets the oldest first")
    func standardCapacity() {
        var ledger = EffectLedger()
        var wrong = 0
        for number in 0..<250_000 where !ledger.insert(.shipmentCreated, of: identity(number)) { wrong += 1 }
        #expect(wrong == 0)
        #expect(ledger.count == 100_000)
        for number in 150_000..<250_000 where ledger.insert(.shipmentCreated, of: identity(number)) { wrong += 1 }
        #expect(wrong == 0)
        for number in 0..<150_000 where ledger.contains(.shipmentCreated, of: identity(number)) { wrong += 1 }
        #expect(wrong == 0)
    }

    @Test("does what a plain list does", arguments: [1, 2, 3, 7, 8, 9, 64, 100, 1000])
    func model(capacity: Int) {
        var ledger = EffectLedger(capacity: capacity)
        var model: [Int] = []
        var known: Set<Int> = []
        var random = SeededNumbers(UInt64(capacity))
        var wrong = 0
        for _ in 0..<(capacity * 30 + 1000) {
            let number = random.below(capacity * 3)
            let isNew = !known.contains(number)
            if isNew {
                if model.count == capacity { known.remove(model.removeFirst()) }
                model.append(number)
                known.insert(number)
            }
            if ledger.insert(.orderNotified, of: identity(number)) != isNew { wrong += 1 }
            if ledger.count != model.count { wrong += 1 }
        }
        for number in 0..<(capacity * 3)
        where ledger.contains(.orderNotified, of: identity(number)) != known.contains(number) { wrong += 1 }
        #expect(wrong == 0)
    }

    @Test("a capacity that makes no sense is brought into range")
    func capacity() {
        var ledger = EffectLedger(capacity: 0)
        #expect(ledger.capacity == 1)
        #expect(insert(&ledger, .orderGenerated, of: identity(1)))
        #expect(insert(&ledger, .orderGenerated, of: identity(2)))
        #expect(insert(&ledger, .orderGenerated, of: identity(1)))
        #expect(EffectLedger(capacity: .max).capacity == 1 << 30)
    }
}
