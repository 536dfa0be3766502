import Testing

@testable import ActorBus

@Suite struct ReturnedMessageTests {
    private func request(
        _ message: Message, exchange: String = "x", routingKey: String = "k", mandatory: Bool = true
    ) -> PublishRequest {
        PublishRequest(
            publisher: 1, message: message, exchange: exchange, routingKey: routingKey, mandatory: mandatory)
    }

    private static let large = [UInt8](repeating: 7, count: 100_000)
    private static let largeOther = [UInt8](repeating: 7, count: 99_999) + [8]

    /// A broker gives large bodies back as their digest.
    private static func returned(_ bytes: [UInt8], _ properties: MessageProperties = .init()) -> Message {
        Message(
            largeBody: LargeBody(size: Int64(bytes.count), sha256: SHA256.digest(of: bytes), fault: "a return"),
            properties: properties)
    }

    @Test func onlyWhatIsTheSameToTheLastByteIsTheMessage() {
        let message = Message(text: "body", properties: .init(headers: ["h": 1], messageID: "m"))
        let returned = ReturnedMessage(message, exchange: "x", routingKey: "k")
        #expect(returned.isEqual(to: request(message), exactly: true))
        for other in [
            request(message, exchange: "y"), request(message, routingKey: "l"), request(message, mandatory: false),
            request(Message(text: "bodz", properties: message.properties)),
            request(Message(text: "body ", properties: message.properties)),
            request(Message(text: "body", properties: .init(headers: ["h": 1], messageID: "n"))),
            request(Message(text: "body", properties: .init(headers: ["h": 2], messageID: "m"))),
        ] {
            #expect(!returned.isEqual(to: other, exactly: true) && !returned.isEqual(to: other, exactly: false))
        }
        let taken = request(message)
        taken.returned = AMQPError(.returned, "before")
        #expect(!returned.isEqual(to: taken, exactly: true))
    }

    @Test func namesOfOtherBytesAreOtherNames() {
        let message = Message(text: "body")
        let returned = ReturnedMessage(message, exchange: "x", routingKey: "caf\u{E9}")
        #expect(returned.isEqual(to: request(message, routingKey: "caf\u{E9}"), exactly: true))
        #expect(!returned.isEqual(to: request(message, routingKey: "cafe\u{301}"), exactly: true))
    }

    /// As with `message_interceptors.incoming.set_header_timestamp`.
    @Test func whatTheBrokerAddsDoesNotHideAMessage() {
        let sent = MessageProperties(headers: ["h": 1, "BCC": .array(["q"])], deliveryMode: nil, messageID: "m")
        var back = MessageProperties(
            headers: ["h": 1, "timestamp_in_ms": 5], deliveryMode: .transient, messageID: "m", timestamp: 1)
        let message = Message(text: "body", properties: sent)
        func isFound(exactly: Bool) -> Bool {
            ReturnedMessage(Message(text: "body", properties: back), exchange: "x", routingKey: "k")
                .isEqual(to: request(message), exactly: exactly)
        }
        #expect(!isFound(exactly: true) && isFound(exactly: false))
        back.headers["h"] = 2
        #expect(!isFound(exactly: false))
    }

    @Test func largeBodiesAreComparedByTheirDigests() {
        let returned = ReturnedMessage(Self.returned(Self.large), exchange: "x", routingKey: "k")
        #expect(returned.isEqual(to: request(Message(body: Self.large)), exactly: true))
        #expect(!returned.isEqual(to: request(Message(body: Self.largeOther)), exactly: true))
        #expect(returned.isEqual(to: request(Self.returned(Self.large)), exactly: true))
        #expect(!returned.isEqual(to: request(Self.returned(Self.largeOther)), exactly: true))
    }

    /// Of 10,000 that come back in the order of publication, each is looked at once or twice.
    @Test func aWindowIsLookedThroughOnce() throws {
        var ledger = ConfirmLedger<Int>()
        for entry in 0..<10_000 { ledger.append(entry) }
        var looks = 0
        for entry in 0..<10_000 {
            let found = ledger.next {
                looks += 1
                return $0 == entry
            }
            #expect(found == entry)
        }
        #expect(looks == 10_000)
        // In another order it costs more, and is found all the same, as is one whose turn comes again.
        #expect(ledger.next { $0 == 17 } == 17)
        #expect(ledger.next { $0 == 9_999 } == 9_999)
        _ = ledger.answer(9_000, multiple: true) { _ in }
        #expect(ledger.next { $0 == 17 } == nil)
        #expect(ledger.next { $0 == 9_000 } == 9_000)
        _ = ledger.removeAll()
        ledger.append(1)
        #expect(ledger.next { _ in true } == 1)
    }

    /// Through the channel, as returns come: of messages that differ in nothing but their large bodies, the right one.
    @Test func theMessageThatCameBackIsTheOneThatFails() async throws {
        let core = PublisherCore(window: 10, timeout: .seconds(1), world: .real)
        let channel = Channel(number: 1)
        core.attach(channel)
        defer { channel.close(AMQPError(.connectionClosed, "over")) }
        let window = SendWindow(size: 10)
        let sent = [Self.largeOther, Self.large, [1, 2]].map { body in
            let request = request(Message(body: body))
            let outcome = PendingOutcome()
            request.tell(outcome, in: window)
            core.wasPublished(request)
            return outcome
        }
        for body in [[1, 2], Self.large] as [[UInt8]] {
            try channel.receive(.basicReturn(replyCode: 312, replyText: "NO_ROUTE", exchange: "x", routingKey: "k"))
            try channel.receiveHeader(
                bodySize: UInt64(body.count), properties: MessageProperties(), headersFault: nil,
                storage: BodyStorage(ConnectionConfiguration()))
            try unsafe body.withUnsafeBytes { try unsafe channel.receiveBody($0) }
        }
        try channel.receive(.basicAck(deliveryTag: 3, multiple: true))
        try await window.wait(for: sent[0])
        for returned in sent.dropFirst() {
            let error = await #expect(throws: AMQPError.self) { try await window.wait(for: returned) }
            #expect(error?.code == .returned)
        }
    }
}
