import Testing

@testable import ActorBus

@Suite struct ConfirmLedgerTests {
    @Test func numbersBeginAtOneAndGoUp() {
        var ledger = ConfirmLedger<String>()
        #expect(ledger.append("a") == 1)
        #expect(ledger.append("b") == 2)
        #expect(ledger.unanswered == 2)
    }

    @Test func anAnswerTakesItsMessageOnce() {
        var ledger = ConfirmLedger<String>()
        for entry in ["a", "b", "c"] { ledger.append(entry) }
        var taken: [String] = []
        #expect(ledger.answer(2, multiple: false) { taken.append($0) })
        #expect(ledger.answer(2, multiple: false) { taken.append($0) })
        #expect(taken == ["b"])
        #expect(ledger.answer(3, multiple: true) { taken.append($0) })
        #expect(taken == ["b", "a", "c"])
        #expect(ledger.unanswered == 0)
    }

    @Test func zeroWithMultipleMeansAllAndAloneNothing() {
        var ledger = ConfirmLedger<Int>()
        for entry in 1...5 { ledger.append(entry) }
        var taken: [Int] = []
        #expect(!ledger.answer(0, multiple: false) { taken.append($0) })
        #expect(taken.isEmpty)
        #expect(ledger.answer(0, multiple: true) { taken.append($0) })
        #expect(taken == [1, 2, 3, 4, 5])
        #expect(ledger.answer(0, multiple: true) { taken.append($0) })
        #expect(taken.count == 5)
    }

    @Test(arguments: [UInt64(4), 5, 1 << 32, 1 << 63, .max], [false, true])
    func aNumberNeverGivenOutIsRefused(number: UInt64, multiple: Bool) {
        var ledger = ConfirmLedger<Int>()
        for entry in 1...3 { ledger.append(entry) }
        var taken = 0
        #expect(!ledger.answer(number, multiple: multiple) { _ in taken += 1 })
        #expect(taken == 0)
        #expect(ledger.unanswered == 3)
    }

    @Test func removeAllBeginsAnewAtOne() {
        var ledger = ConfirmLedger<Int>()
        for entry in 1...4 { ledger.append(entry) }
        _ = ledger.answer(2, multiple: false) { _ in }
        #expect(ledger.removeAll() == [1, 3, 4])
        #expect(ledger.unanswered == 0)
        #expect(ledger.append(9) == 1)
    }

    @Test func findsTheFirstThatMatchesAmongTheUnanswered() {
        var ledger = ConfirmLedger<Int>()
        for entry in 1...6 { ledger.append(entry) }
        _ = ledger.answer(2, multiple: false) { _ in }
        #expect(ledger.next { $0 % 2 == 0 } == 4)
        #expect(ledger.next { $0 > 6 } == nil)
        var seen: [Int] = []
        ledger.forEach { seen.append($0) }
        #expect(seen == [1, 3, 4, 5, 6])
    }

    /// Random appends and answers against a dictionary.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func agreesWithANaiveModel(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var ledger = ConfirmLedger<Int>()
        var model: [UInt64: Int] = [:]
        var next: UInt64 = 1
        for step in 0..<400 {
            if Bool.random(using: &random) {
                #expect(ledger.append(step) == next)
                model[next] = step
                next += 1
            } else {
                let number = UInt64.random(in: 0...next + 1, using: &random)
                let multiple = Bool.random(using: &random)
                var taken: [Int] = []
                let isKnown = ledger.answer(number, multiple: multiple) { taken.append($0) }
                #expect(isKnown == (number < next && (number > 0 || multiple)))
                let numbers = model.keys.filter { isKnown && (multiple ? number == 0 || $0 <= number : $0 == number) }
                    .sorted()
                #expect(taken == numbers.map { model[$0]! })
                for number in numbers { model[number] = nil }
            }
            #expect(ledger.unanswered == model.count)
        }
        #expect(ledger.removeAll() == model.sorted { $0.key < $1.key }.map(\.value))
    }
}
