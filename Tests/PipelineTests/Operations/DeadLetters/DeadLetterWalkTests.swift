import ActorBus
import Testing

@testable import Pipeline

/// What a walk over letters decides without a broker.
@Suite struct DeadLetterWalkTests {
    @Test func `a round ends in front of its own copies`() {
        var round = Round(total: 5)
        #expect(round.remaining(ready: 5) == 5)
        (round.met, round.copied) = (3, 2)
        #expect(round.remaining(ready: 4) == 2)
        (round.met, round.copied) = (5, 4)
        #expect(round.remaining(ready: 4) == 0)
    }

    @Test func `what came in meanwhile is not waited for`() {
        var round = Round(total: 5)
        (round.met, round.copied) = (3, 3)
        #expect(round.remaining(ready: 105) == 2)
        (round.met, round.copied) = (5, 5)
        #expect(round.remaining(ready: 105) == 0)
    }

    @Test func `what others took is not met as a copy of our own`() {
        var round = Round(total: 5)
        (round.met, round.copied) = (2, 2)
        // One of the three in front is gone.
        #expect(round.remaining(ready: 4) == 2)
        #expect(round.remaining(ready: 2) == 0)
        // They have gone beyond, into the copies.
        #expect(round.remaining(ready: 0) == 0)
        round.met = 6
        #expect(round.remaining(ready: 9) == 0)
    }

    @Test func `a letter of the broker's own says why in x-death`() {
        let letter = StoredDeadLetter(
            queue: .payment,
            message: Message(
                text: #"{"order_id":7}"#,
                properties: MessageProperties(
                    headers: [
                        "x-death": .array([
                            .table([
                                "queue": "payment_processor_queue", "reason": "delivery_limit", "exchange": "orders",
                                "time": .timestamp(1_767_781_800), "count": 1,
                            ]),
                            .table(["queue": "payment_processor_queue.retry.5", "reason": "expired", "exchange": ""]),
                        ])
                    ])))
        #expect(letter.error == "delivery_limit" && letter.originalExchange == "orders" && letter.orderID == 7)
        #expect(letter.reason?.contains("payment_processor_queue") == true)
        #expect(letter.firstFailedAt == Timestamp(clampingSeconds: 1_767_781_800))
        let now = Timestamp(clampingSeconds: 1_767_781_900)
        #expect(DeadLetterFilter(error: .deliveryLimit, olderThan: .seconds(60)).matches(letter, at: now))
        #expect(!DeadLetterFilter(error: .exhausted).matches(letter, at: now))
    }

    @Test(arguments: [
        FieldValue.string("x"), .array([]), .array(["x"]), .array([.table(["queue": 1])]), .table(["queue": "q"]),
    ])
    func `an x-death that makes no sense says nothing`(death: FieldValue) {
        let letter = StoredDeadLetter(
            queue: .payment, message: Message(text: "", properties: MessageProperties(headers: ["x-death": death])))
        #expect(letter.error == nil && letter.reason == nil && letter.firstFailedAt == nil)
    }

    @Test func `a rate tells how long until the next one without taking its place`() {
        var rate = SteadyRate(perSecond: 2)
        #expect(rate.untilNext(at: .zero) == .zero)
        #expect(rate.wait(at: .zero) == .zero)
        #expect(rate.untilNext(at: .milliseconds(100)) == .milliseconds(400))
        #expect(rate.untilNext(at: .seconds(9)) == .zero)
        #expect(rate.wait(at: .milliseconds(100)) == .milliseconds(400))
    }
}
