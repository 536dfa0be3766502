import ActorBus
import Pipeline
import Testing

@Suite struct DeadLetterFilterTests {
    private static let now = Timestamp(clampingSeconds: 1_767_781_800)

    private static func letter(
        error: String? = "malformed", reason: String = "Items is missing",
        failed secondsAgo: Int64? = 100,
        correlationID: String? = "shop-42", body: String = #"{"order_id":42}"#
    ) -> StoredDeadLetter {
        var headers: FieldTable = ["x-reason": .string(reason)]
        if let error { headers["x-error"] = .string(error) }
        if let secondsAgo {
            headers["x-first-failed-at"] = .string(
                Timestamp(clampingSeconds: now.seconds - secondsAgo).text)
        }
        return StoredDeadLetter(
            queue: .payment,
            message: Message(
                text: body, properties: MessageProperties(headers: headers, correlationID: correlationID)))
    }

    private func means(_ filter: DeadLetterFilter, _ letter: StoredDeadLetter = letter()) -> Bool {
        filter.matches(letter, at: Self.now)
    }

    @Test func `one that says nothing means every letter`() {
        #expect(DeadLetterFilter().takesAll)
        #expect(!DeadLetterFilter(order: "1").takesAll)
        #expect(means(DeadLetterFilter()))
        #expect(
            means(DeadLetterFilter(), StoredDeadLetter(queue: .payment, message: Message(body: [0xFF]))))
    }

    @Test func `by class and by a part of the reason`() {
        #expect(means(DeadLetterFilter(error: .malformed)))
        #expect(!means(DeadLetterFilter(error: .exhausted)))
        #expect(!means(DeadLetterFilter(error: .malformed), Self.letter(error: nil)))
        #expect(means(DeadLetterFilter(reason: "items IS")))
        #expect(!means(DeadLetterFilter(reason: "currency")))
    }

    @Test func `by the correlation id, whole, or by the order's number`() {
        #expect(means(DeadLetterFilter(order: "shop-42")))
        #expect(means(DeadLetterFilter(order: "42")))
        #expect(!means(DeadLetterFilter(order: "4")))
        #expect(!means(DeadLetterFilter(order: "shop")))
        #expect(means(DeadLetterFilter(order: "7"), Self.letter(correlationID: "7", body: "none")))
        #expect(!means(DeadLetterFilter(order: "42"), Self.letter(correlationID: nil, body: "none")))
        #expect(!means(DeadLetterFilter(order: "42"), Self.letter(body: #"{"order_id":"42"}"#)))
    }

    @Test func `by the identity, of a stranger's order as of our own`() {
        let body = """
            {"order_id":42,"customer_email":"a","items":[],"total_amount":1,"currency":"EUR",\
            "timestamp":"2026-01-07T11:30:00+01:00","status":"pending"}
            """
        let stranger = Self.letter(correlationID: "req-7", body: body)
        #expect(stranger.identity?.text == "42@2026-01-07T11:30:00+01:00")
        #expect(means(DeadLetterFilter(order: "42@2026-01-07T11:30:00+01:00"), stranger))
        #expect(!means(DeadLetterFilter(order: "42@2026-01-07T10:30:00Z"), stranger))
        #expect(means(DeadLetterFilter(order: "req-7"), stranger) && means(DeadLetterFilter(order: "42"), stranger))
        let own = StoredDeadLetter(
            queue: .payment,
            message: Message(
                text: body, properties: MessageProperties(correlationID: "own-42", appID: "order-generator")))
        #expect(own.identity?.text == "own-42")
        #expect(!means(DeadLetterFilter(order: "42@2026-01-07T11:30:00+01:00"), own))
        #expect(Self.letter().identity == nil, "a body that cannot be read tells none")
    }

    @Test func `by age, where the bounds belong to one side each`() {
        #expect(means(DeadLetterFilter(olderThan: .seconds(100))))
        #expect(!means(DeadLetterFilter(olderThan: .seconds(101))))
        #expect(means(DeadLetterFilter(newerThan: .seconds(101))))
        #expect(!means(DeadLetterFilter(newerThan: .seconds(100))))
        for filter in [
            DeadLetterFilter(olderThan: .zero), DeadLetterFilter(newerThan: .seconds(1_000_000)),
        ] {
            #expect(!means(filter, Self.letter(failed: nil)), "what has no age is meant by no age")
        }
    }

    @Test func `all that is said has to be so`() {
        #expect(
            means(
                DeadLetterFilter(error: .malformed, reason: "items", order: "42", olderThan: .seconds(1))))
        #expect(
            !means(
                DeadLetterFilter(error: .malformed, reason: "items", order: "43", olderThan: .seconds(1))))
    }

    @Test func `foreign headers are read leniently`() {
        let odd = StoredDeadLetter(
            queue: .payment,
            message: Message(
                body: [0xFF],
                properties: MessageProperties(headers: [
                    "x-error": 5, "x-reason": .bytes([0xFF]), "x-attempts": "many",
                    "x-first-failed-at": "yesterday",
                ])))
        #expect(
            odd.error == nil && odd.reason == nil && odd.attempts == nil && odd.firstFailedAt == nil)
        #expect(odd.orderID == nil && odd.text == nil)
        #expect(
            StoredDeadLetter(queue: .payment, message: Message(body: []), headersFault: "too deep").reason
                == "too deep")
    }
}

@Suite struct SteadyRateTests {
    @Test func `lets the first go at once and the others follow one by one`() {
        var rate = SteadyRate(perSecond: 10)
        #expect(rate.wait(at: .seconds(5)) == .zero)
        #expect(rate.wait(at: .seconds(5)) == .milliseconds(100))
        #expect(rate.wait(at: .seconds(5)) == .milliseconds(200))
        #expect(rate.wait(at: .milliseconds(5250)) == .milliseconds(50))
    }

    @Test func `what was not used is not saved up`() {
        var rate = SteadyRate(perSecond: 1)
        #expect(rate.wait(at: .zero) == .zero)
        #expect(rate.wait(at: .seconds(60)) == .zero)
        #expect(rate.wait(at: .seconds(60)) == .seconds(1))
    }
}
