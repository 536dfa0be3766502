import ActorBus
import Pipeline
import Testing

@Suite struct DeadLetterTests {
    private static let letter = DeadLetter(
        .malformed, reason: "items is missing", attempts: 1, exchange: "orders", queue: .payment,
        failedAt: Timestamp(clampingSeconds: 1_767_781_800))

    @Test func `keeps body and properties and says why`() {
        let original = Message(
            body: [1, 2, 3],
            properties: MessageProperties(
                contentType: "text/x", headers: ["mine": 5], deliveryMode: .transient, correlationID: "c",
                messageID: "m",
                timestamp: 7, type: "order", appID: "shop"))
        let message = Self.letter.message(of: original)
        #expect(message.body == original.body)
        var expected = original.properties
        expected.deliveryMode = .persistent
        expected.headers = [
            "mine": 5, "x-reason": "items is missing", "x-error": "malformed", "x-attempts": 1,
            "x-original-exchange": "orders", "x-original-queue": "payment_processor_queue",
            "x-first-failed-at": "2026-01-07T10:30:00Z",
        ]
        #expect(message.properties == expected)
    }

    @Test func `moves aside what would do harm in a dead-letter queue`() {
        let original = Message(
            body: [],
            properties: MessageProperties(
                headers: ["CC": .array(["payment_processor_queue"]), "BCC": .array(["x"])], expiration: "1",
                userID: "eve"))
        let properties = Self.letter.message(of: original).properties
        #expect(properties.expiration == nil)
        #expect(properties.userID == nil)
        #expect(properties.headers["CC"] == nil && properties.headers["BCC"] == nil)
        #expect(properties.headers["x-original-cc"] == .array(["payment_processor_queue"]))
        #expect(properties.headers["x-original-bcc"] == .array(["x"]))
        #expect(properties.headers["x-original-expiration"] == "1")
        #expect(properties.headers["x-original-user-id"] == "eve")
    }

    @Test func `a replayed message that fails again keeps when it first failed, and nothing else of its last failure`()
    {
        let earlier = DeadLetter(
            .exhausted, reason: "no carrier", attempts: 6, exchange: "payments", queue: .fulfillment,
            failedAt: Timestamp(clampingSeconds: 1_000_000_000))
        // It comes back over the default exchange.
        let again = DeadLetter(
            .malformed, reason: "items is missing", attempts: 1, exchange: "", queue: .payment,
            failedAt: Timestamp(clampingSeconds: 1_767_781_800))
        let message = again.message(of: earlier.message(of: Message(body: [])))
        #expect(message.properties.headers["x-first-failed-at"] == "2001-09-09T01:46:40Z")
        #expect(message.properties.headers["x-reason"] == "items is missing")
        #expect(message.properties.headers["x-error"] == "malformed")
        #expect(message.properties.headers["x-attempts"] == 1)
        #expect(message.properties.headers["x-original-queue"] == "payment_processor_queue")
    }

    /// Nor what a producer says of failures: its message has not been in any queue of ours.
    @Test func `a stranger's headers of our names are not believed`() {
        let original = Message(
            body: [],
            properties: MessageProperties(headers: [
                "x-buried-as": "note", "x-attempts": 7, "x-retries": 5, "x-first-failed-at": "2001-09-09T01:46:40Z",
                "x-original-exchange": "elsewhere",
            ]))
        for form in [BurialForm.whole, .withoutProperties, .withoutHeaders] {
            let headers = Self.letter.message(of: original, as: form).properties.headers
            #expect(headers["x-buried-as"] == nil, "\(form)")
            #expect(headers["x-attempts"] == 1 && headers["x-retries"] == nil, "\(form)")
            #expect(headers["x-first-failed-at"] == "2026-01-07T10:30:00Z", "\(form)")
            #expect(headers["x-original-exchange"] == "orders", "\(form)")
        }
    }

    @Test func `goes back without why it failed, and keeps when it first did and where it came from`() {
        let original = Message(
            body: [1], properties: MessageProperties(headers: ["mine": 5], correlationID: "c", messageID: "m"))
        var letter = Self.letter.message(of: original)
        letter.properties.headers["x-delivery-count"] = 3
        let replayed = DeadLetter.replayed(letter)
        #expect(replayed.body == [1])
        var expected = original.properties
        expected.headers = [
            "mine": 5, "x-original-exchange": "orders", "x-first-failed-at": "2026-01-07T10:30:00Z",
        ]
        #expect(replayed.properties == expected)

        // It comes back over the default exchange.
        let again = DeadLetter(
            .rejected, reason: "no", attempts: 1, exchange: "", queue: .payment,
            failedAt: Timestamp(clampingSeconds: 1_800_000_000)
        ).message(of: replayed)
        #expect(again.properties.headers["x-original-exchange"] == "orders")
        #expect(again.properties.headers["x-first-failed-at"] == "2026-01-07T10:30:00Z")
        #expect(again.properties.headers["x-error"] == "rejected")
    }

    /// A property by which brokers act, or a header by which they send it elsewhere, is no reason to lose the rest.
    @Test func `each form has less of the message, and all say why`() throws {
        let original = Message(
            body: [9, 9],
            properties: MessageProperties(
                contentType: "text/x", contentEncoding: "gzip", headers: ["big": "…", "x-attempts": 3, "x-retries": 2],
                priority: 7, correlationID: "c", replyTo: "amq.rabbitmq.reply-to", messageID: "m", timestamp: 5,
                type: "order", userID: "eve", appID: "shop"))
        var letters: [BurialForm: Message] = [:]
        for form in BurialForm.allCases {
            let letter = Self.letter.message(of: original, as: form)
            letters[form] = letter
            let headers = letter.properties.headers
            #expect(headers["x-reason"] == "items is missing" && headers["x-error"] == "malformed", "\(form)")
            #expect(headers["x-attempts"] == 1 && headers["x-original-exchange"] == "orders", "\(form)")
            #expect(headers["x-original-queue"] == "payment_processor_queue", "\(form)")
            #expect(headers["x-retries"] == nil && headers["x-first-failed-at"] != nil, "\(form)")
            #expect(letter.properties.deliveryMode == .persistent, "\(form)")
            #expect(letter.properties.userID == nil && letter.properties.replyTo == nil, "\(form)")
            #expect((headers["x-buried-as"] == "note") == (form == .note || form == .shortNote), "\(form)")
        }
        let whole = try #require(letters[.whole])
        #expect(whole.body == [9, 9] && whole.properties.priority == 7)
        #expect(whole.properties.headers["big"] == "…")
        #expect(whole.properties.headers["x-original-reply-to"] == "amq.rabbitmq.reply-to")
        let plain = try #require(letters[.withoutProperties])
        #expect(plain.body == [9, 9] && plain.properties.correlationID == "c" && plain.properties.messageID == "m")
        #expect(plain.properties.priority == nil && plain.properties.contentEncoding == nil)
        #expect(plain.properties.headers["x-original-priority"] == 7 && plain.properties.headers["big"] == "…")
        let bare = try #require(letters[.withoutHeaders])
        #expect(bare.body == [9, 9] && bare.properties.headers["big"] == nil)
        #expect(bare.properties.headers["x-headers-dropped"] != nil)
        let note = try #require(letters[.note])
        #expect(note.properties.contentType == "application/json" && note.properties.correlationID == "c")
        #expect(
            String(decoding: note.body, as: UTF8.self)
                == #"{"reason":"items is missing","size":2,"#
                + #""sha256":"31609426297325bdb28c86ab3ceeed4a3c438966733fd61b8aea00ee8b23b7bc","#
                + #""properties":{"content_type":"text/x","content_encoding":"gzip","correlation_id":"c","#
                + #""reply_to":"amq.rabbitmq.reply-to","message_id":"m","type":"order","user_id":"eve","#
                + #""app_id":"shop","delivery_mode":2,"priority":7,"timestamp":5},"#
                + #""headers":{"big":"…","x-attempts":3,"x-retries":2}}"#)
        let short = try #require(letters[.shortNote])
        #expect(
            String(decoding: short.body, as: UTF8.self).hasPrefix(#"{"reason":"items is missing","size":2,"sha256":"#))
        #expect(short.body.count < note.body.count && short.properties.correlationID == nil)
    }

    @Test func `the forms follow one another, and there is an end`() {
        var (form, seen) = (BurialForm.whole, [BurialForm.whole])
        while let next = form.next {
            form = next
            seen.append(next)
        }
        #expect(seen == BurialForm.allCases)
    }

    @Test func `a reason stays one line of bounded length`() {
        let letter = DeadLetter(
            .malformed, reason: "a\nb\u{1b}[2J" + String(repeating: "x", count: 10_000), attempts: 1, exchange: "",
            queue: .payment, failedAt: .earliest)
        #expect(letter.reason.count < 600)
        #expect(!letter.reason.contains { $0.isNewline || $0 == "\u{1b}" })
    }
}
