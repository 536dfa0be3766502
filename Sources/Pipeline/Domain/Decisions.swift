/// What the simulated world decides about an order: a pure function, so that every replica, every restart and every
/// repetition of a message decides alike.
///
/// Without a seed, a built-in salt and the order's identity decide; with one, the seed and the order's number alone.
/// The salt, the names of the questions and the vocabularies' order are part of the answers: replicas of two versions
/// of this program agree only while none of them changes.
package struct Decisions: Sendable {
    /// Each thing that is decided, so that no answer tells anything about another.
    private enum Question: UInt8 {
        case success = 1
        case reason = 2
        case method = 3
        case paymentTime = 4
        case carrier = 5
        case deliveryDays = 6
        case fulfillmentTime = 7
    }

    private let seed: UInt64?
    /// The share of payments that succeed: none at 0, all at 1.
    private let successRate: Double

    package init(seed: UInt64?, successRate: Double) {
        self.seed = seed
        self.successRate = successRate
    }

    /// What becomes of an order's payment, which takes a time from the range of milliseconds.
    package func payment(
        orderID: Int64, identity: OrderIdentity, milliseconds range: ClosedRange<Int64>
    ) -> (outcome: ChargeAnswer.Outcome, method: PaymentMethod, milliseconds: Int64) {
        let draw = Draw(seed: seed, orderID: orderID, identity: identity)
        let succeeds = draw.fraction(Question.success.rawValue).isWithin(rate: successRate)
        let reason = draw.choice(Question.reason.rawValue, of: FailureReason.known)
        let method = draw.choice(Question.method.rawValue, of: PaymentMethod.known)
        let time = draw.fraction(Question.paymentTime.rawValue).number(in: range)
        return (succeeds ? .charged : .declined(reason), method, time)
    }

    /// How an order is shipped, the preparation of which takes a time from the range of milliseconds.
    package func shipment(
        orderID: Int64, identity: OrderIdentity, milliseconds range: ClosedRange<Int64>
    ) -> (booking: Booking, milliseconds: Int64) {
        let draw = Draw(seed: seed, orderID: orderID, identity: identity)
        let carrier = draw.choice(Question.carrier.rawValue, of: CarrierName.known)
        let days = draw.fraction(Question.deliveryDays.rawValue).number(in: 2...7)
        let time = draw.fraction(Question.fulfillmentTime.rawValue).number(in: range)
        return (Booking(carrier: carrier, deliveryDays: days), time)
    }

    /// One order's draws: the same question always has the same answer.
    private struct Draw {
        private let key: (UInt64, UInt64)
        private var subject: [UInt8]

        init(seed: UInt64?, orderID: Int64, identity: OrderIdentity) {
            if let seed {
                key = (seed, 0x7365_6564_6564_2076)
                subject = [0]
                var number = UInt64(bitPattern: orderID)
                for _ in 0..<8 {
                    subject.append(UInt8(truncatingIfNeeded: number))
                    number >>= 8
                }
            } else {
                key = (0x6f72_6465_7220_7069, 0x7065_6c69_6e65_2076)
                subject = [0]
                subject.append(contentsOf: identity.text.utf8)
            }
        }

        func fraction(_ question: UInt8) -> Fraction {
            var asked = subject
            asked[0] = question
            return Fraction(bits: SipHash.hash64(key: key, asked))
        }

        func choice<Choice>(_ question: UInt8, of choices: [Choice]) -> Choice {
            choices[Int(fraction(question).index(below: UInt64(choices.count)))]
        }
    }
}
