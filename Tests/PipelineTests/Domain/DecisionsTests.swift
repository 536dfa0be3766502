import Testing

@testable import Pipeline

@Suite("Decisions")
struct DecisionsTests {
    private func identity(_ number: Int64) -> OrderIdentity {
        OrderIdentity(origin: "0123456789abcdef", orderID: number)
    }

    /// All that is decided about an order, as one text.
    private func everything(_ decisions: Decisions, _ orderID: Int64, _ identity: OrderIdentity) -> String {
        let payment = decisions.payment(orderID: orderID, identity: identity, milliseconds: 500...2000)
        let shipment = decisions.shipment(orderID: orderID, identity: identity, milliseconds: 1000...3000)
        let outcome: String
        switch payment.outcome {
        case .charged: outcome = "charged"
        case .declined(let reason): outcome = reason.rawValue
        }
        return "\(outcome) \(payment.method.rawValue) \(payment.milliseconds)"
            + " \(shipment.booking.carrier.rawValue) \(shipment.booking.deliveryDays) \(shipment.milliseconds)"
    }

    @Test("never change: replicas of two versions decide alike")
    func pinned() {
        let unseeded = Decisions(seed: nil, successRate: 0.5)
        let seeded = Decisions(seed: 7, successRate: 0.5)
        #expect(
            (1...6).map { everything(unseeded, $0, identity($0)) } == [
                "Card expired paypal 1216 UPS 7 2372", "Network error credit_card 1488 UPS 7 1772",
                "charged paypal 847 USPS 6 1160", "charged bank_transfer 1172 UPS 5 1816",
                "Card expired paypal 1435 USPS 4 1206", "charged credit_card 1903 USPS 7 2707",
            ])
        #expect(
            (1...6).map { everything(seeded, $0, identity($0)) } == [
                "charged credit_card 1725 FedEx 2 2224", "charged paypal 1287 FedEx 4 1140",
                "charged credit_card 1848 UPS 4 1499", "Network error paypal 586 UPS 7 1893",
                "charged paypal 816 USPS 4 1773", "charged paypal 997 USPS 4 1980",
            ])
    }

    @Test("without a seed only the identity counts")
    func unseeded() {
        let decisions = Decisions(seed: nil, successRate: 0.5)
        let texts = Set((1...200).map { everything(decisions, 1, identity($0)) })
        #expect(texts.count > 190)
        for number in Int64(1)...200 {
            #expect(everything(decisions, number, identity(1)) == everything(decisions, 1, identity(1)))
        }
    }

    @Test("with a seed only seed and number count")
    func seeded() {
        let decisions = Decisions(seed: 7, successRate: 0.5)
        for number in Int64(1)...200 {
            #expect(everything(decisions, 1, identity(number)) == everything(decisions, 1, identity(1)))
        }
        #expect(Set((1...200).map { everything(decisions, $0, identity(1)) }).count > 190)
        let seeds = (UInt64(0)..<200).map { everything(Decisions(seed: $0, successRate: 0.5), 1, identity(1)) }
        #expect(Set(seeds).count > 190)
        #expect(everything(decisions, -1, identity(1)) != everything(decisions, 1, identity(1)))
    }

    @Test("no payment succeeds at rate 0, each does at rate 1, and a higher rate never turns success into failure")
    func rates() {
        let rates = [0, 0.001, 0.1, 0.5, 0.9, 0.999, 1]
        var successes = [Int](repeating: 0, count: rates.count)
        for number in Int64(1)...20_000 {
            var previous = false
            for (index, rate) in rates.enumerated() {
                let decided = Decisions(seed: nil, successRate: rate)
                    .payment(orderID: number, identity: identity(number), milliseconds: 0...0)
                let succeeds = decided.outcome == .charged
                if previous { #expect(succeeds) }
                previous = succeeds
                if succeeds { successes[index] += 1 }
            }
        }
        #expect(successes.first == 0)
        #expect(successes.last == 20_000)
        for (index, rate) in rates.enumerated() {
            #expect(abs(Double(successes[index]) - rate * 20_000) < 250)
        }
    }

    @Test("the extremes of a fraction keep within rates and ranges")
    func fractions() {
        let least = Fraction(bits: 0)
        let greatest = Fraction(bits: .max)
        #expect(!least.isWithin(rate: 0))
        #expect(least.isWithin(rate: .leastNonzeroMagnitude))
        #expect(greatest.isWithin(rate: 1))
        #expect(!greatest.isWithin(rate: 1 - .ulpOfOne))
        #expect(least.index(below: 0) == 0)
        #expect(greatest.index(below: 0) == 0)
        #expect(greatest.index(below: 6) == 5)
        #expect(least.number(in: -3...4) == -3)
        #expect(greatest.number(in: -3...4) == 4)
        #expect(least.number(in: .min ... .max) == .min)
        #expect(greatest.number(in: .min ... .max) == .max)
        #expect(greatest.number(in: 5...5) == 5)
    }

    @Test("choices and times are even, and apart from each other")
    func distribution() {
        let decisions = Decisions(seed: nil, successRate: 0)
        var reasons: [FailureReason: Int] = [:]
        var methods: [PaymentMethod: Int] = [:]
        var pairs: [String: Int] = [:]
        var carriers: [CarrierName: Int] = [:]
        var days: [Int64: Int] = [:]
        var paymentSum: Int64 = 0
        var fulfillmentSum: Int64 = 0
        for number in Int64(1)...24_000 {
            let payment = decisions.payment(orderID: 0, identity: identity(number), milliseconds: 500...2000)
            let shipment = decisions.shipment(orderID: 0, identity: identity(number), milliseconds: 1000...3000)
            guard case .declined(let reason) = payment.outcome else {
                Issue.record("a success at rate 0")
                return
            }
            reasons[reason, default: 0] += 1
            methods[payment.method, default: 0] += 1
            pairs["\(reason.rawValue) \(payment.method.rawValue)", default: 0] += 1
            carriers[shipment.booking.carrier, default: 0] += 1
            days[shipment.booking.deliveryDays, default: 0] += 1
            #expect((500...2000).contains(payment.milliseconds))
            #expect((1000...3000).contains(shipment.milliseconds))
            paymentSum += payment.milliseconds
            fulfillmentSum += shipment.milliseconds
        }
        func isEven(_ counts: some Collection<Int>, _ kinds: Int) -> Bool {
            counts.count == kinds && counts.allSatisfy { abs($0 - 24_000 / kinds) < 24_000 / kinds / 10 }
        }
        #expect(isEven(reasons.values, 4))
        #expect(isEven(methods.values, 3))
        #expect(isEven(pairs.values, 12))
        #expect(isEven(carriers.values, 4))
        #expect(isEven(days.values, 6))
        #expect(Set(days.keys) == Set(2...7))
        #expect(abs(paymentSum / 24_000 - 1250) < 15)
        #expect(abs(fulfillmentSum / 24_000 - 2000) < 20)
    }
}
