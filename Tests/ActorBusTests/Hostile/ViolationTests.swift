import Testbed
import Testing

@testable import ActorBus

/// A server that breaks the protocol after the login: the connection notices, says why, and recovers when the server has come to its
/// senses.
@Suite(.logsOnFailure, .timeLimit(.minutes(5))) struct ViolationTests {
    /// Lets the first connection be attacked as `attack` says, and looks that the client recovers over the second, and still closes.
    private func recovers(
        _ what: String, consuming: Bool = false, publishing: Bool = false,
        attack: @escaping @Sendable (FakePeer) throws -> Void
    ) async throws -> [String] {
        let problems = Lock<[String]>([])
        try await withFakeBroker({ peer, number in
            try peer.login()
            if number == 1 { try attack(peer) }
            try peer.serve()
        }) { broker in
            try await within(.seconds(20), what) {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let updates = connection.statusUpdates()
                let consumer = Task {
                    guard consuming else { return }
                    for try await delivery in connection.deliveries(from: "q", prefetch: 10) { delivery.acknowledge() }
                }
                let call = Task {
                    guard !consuming, !publishing else { return }
                    _ = try await connection.inspect(queue: "q")
                }
                let publish = Task {
                    guard publishing else { return }
                    try await connection.publisher().publish(Message(text: "m"), to: "x")
                }
                for await status in updates {
                    if let problem = status.problem { problems.withLock { $0.append(problem) } }
                    if status.recoveries > 0, status.isReady { break }
                }
                if publishing { try await publish.value }
                await connection.close()
                _ = await consumer.result
                // A call that was under way is told; one that came too late for the attack went over the second connection.
                if case .failure(let error) = await call.result { #expect(error is AMQPError) }
                #expect(connection.status.state == .closed)
            }
        }
        return problems.withLock { $0 }
    }

    @Test(
        arguments: [
            [UInt8](repeating: 0xFF, count: 64), Array("GET / HTTP/1.1".utf8), [1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0],
            Wire.frame(3, [UInt8](repeating: 0, count: 131_065)),
            Array(Wire.frame(8, []).dropLast()) + [0], Wire.method(99, 1), Wire.method(50, 10),
            Wire.deliver(7, tag: "t", number: 1), Wire.header(7, bodySize: 0),
            Wire.body(7, [1]), Wire.header(0, bodySize: 1), Wire.ack(0, 1), Wire.channelOpenOk(3), Wire.start(),
            Wire.openOk(), Wire.frame(1, []),
            Wire.frame(2, [0]), Wire.connectionClose(501, "FRAME_ERROR"),
            Wire.connectionClose(320, "CONNECTION_FORCED"),
        ] as [[UInt8]])
    func aCallIsAttacked(bytes: [UInt8]) async throws {
        let problems = try await recovers("recovery from bad bytes") { peer in
            try peer.wait(for: [20, 10])
            try peer.send(bytes)
            peer.waitForEnd()
        }
        #expect(!problems.isEmpty)
    }

    private static let t = "actorbus-1"

    @Test(
        arguments: [
            // Numbers that are not the next.
            Wire.delivery(1, tag: t, number: 0, body: [1]), Wire.delivery(1, tag: t, number: 2, body: [1]),
            Wire.delivery(1, tag: t, number: .max, body: [1]),
            Wire.delivery(1, tag: t, number: 1, body: [1]) + Wire.delivery(1, tag: t, number: 1, body: [1]),
            // Headers and bodies out of place.
            Wire.header(1, bodySize: 1), Wire.body(1, [1]), Wire.deliver(1, tag: t, number: 1) + Wire.body(1, [1]),
            Wire.deliver(1, tag: t, number: 1) + Wire.deliver(1, tag: t, number: 2),
            Wire.deliver(1, tag: t, number: 1) + Wire.header(1, bodySize: 2) + Wire.header(1, bodySize: 2),
            Wire.deliver(1, tag: t, number: 1) + Wire.header(1, bodySize: 2) + Wire.deliver(1, tag: t, number: 2),
            Wire.deliver(1, tag: t, number: 1) + Wire.header(1, bodySize: 2) + Wire.body(1, [1, 2, 3]),
            Wire.deliver(1, tag: t, number: 1) + Wire.header(1, bodySize: 0) + Wire.body(1, [1]),
            // Sizes that nobody can hold.
            Wire.deliver(1, tag: t, number: 1) + Wire.header(1, bodySize: 1 << 63),
            Wire.deliver(1, tag: t, number: 1) + Wire.header(1, bodySize: .max),
            Wire.deliver(1, tag: t, number: 1) + Wire.header(1, bodySize: 1 << 40),
            // Properties that are none.
            Wire.deliver(1, tag: t, number: 1) + Wire.header(1, bodySize: 0, properties: []),
            Wire.deliver(1, tag: t, number: 1) + Wire.header(1, bodySize: 0, properties: [0x80, 0]),
            Wire.deliver(1, tag: t, number: 1) + Wire.header(1, bodySize: 0, properties: [0x80, 0, 200, 1]),
            // Answers to what was never asked.
            Wire.ack(1, 1), Wire.method(20, 41, channel: 1), Wire.consumeOk(1, tag: t),
        ] as [[UInt8]])
    func aConsumerIsAttacked(bytes: [UInt8]) async throws {
        let problems = try await recovers("recovery from a bad delivery", consuming: true) { peer in
            try peer.serve { frame in
                guard frame.number == [60, 20] else { return false }
                try peer.send(Wire.consumeOk(frame.channel, tag: Self.t) + bytes)
                return true
            }
        }
        #expect(!problems.isEmpty)
    }

    @Test(
        arguments: [
            Wire.ack(1, 2), Wire.ack(1, 0), Wire.ack(1, .max), Wire.ack(1, 9, multiple: true),
            Wire.method(60, 120, channel: 1, WireBytes().u64(5).u8(0)),
            Wire.delivery(1, tag: "t", number: 1, body: [1]),
            Wire.basicReturn(1, exchange: "x", routingKey: "", body: [1]) + Wire.ack(1, 7),
            Wire.method(85, 11, channel: 1),
        ] as [[UInt8]])
    func aPublisherIsAttackedAndItsMessagePublishedAgain(bytes: [UInt8]) async throws {
        let problems = try await recovers("recovery from a bad confirm", publishing: true) { peer in
            try peer.serve { frame in
                guard frame.number == [60, 40] else { return false }
                try peer.send(bytes)
                return true
            }
        }
        #expect(!problems.isEmpty)
    }

    /// The wrong answer to a call is no answer.
    @Test(arguments: [[20, 10], [60, 10], [60, 20], [50, 10], [85, 10]] as [[UInt16]])
    func aWrongReplyEndsTheSession(asked: [UInt16]) async throws {
        try await withFakeBroker({ peer, number in
            try peer.login()
            try peer.serve { frame in
                guard number == 1, frame.number == asked else { return false }
                try peer.send(Wire.method(60, 31, channel: frame.channel, WireBytes().short("t")))
                return true
            }
        }) { broker in
            try await within(.seconds(15), "recovery from a wrong reply") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let updates = connection.statusUpdates()
                let consumer = Task {
                    if asked == [50, 10] { _ = try await connection.inspect(queue: "q") }
                    if asked == [85, 10] { _ = try await connection.publisher() }
                    for try await delivery in connection.deliveries(from: "q") { delivery.acknowledge() }
                }
                for await status in updates where status.recoveries > 0 && status.isReady { break }
                await connection.close()
                _ = await consumer.result
            }
        }
    }

    /// A message whose headers nobody can decode is handed out all the same, so that it can be put aside.
    @Test func headersNestedTooDeepAreLeftOutOfTheDelivery() async throws {
        let properties = WireBytes().u16(0x2000 | 0x0080).raw(Wire.nestedTable(depth: 20_000)).short("the id").bytes
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve { frame in
                guard frame.number == [60, 20] else { return false }
                try peer.send(
                    Wire.consumeOk(frame.channel, tag: Self.t) + Wire.deliver(frame.channel, tag: Self.t, number: 1)
                        + Wire.header(frame.channel, bodySize: 2, properties: properties)
                        + Wire.body(frame.channel, [7, 8])
                        + Wire.delivery(frame.channel, tag: Self.t, number: 2, body: [9]))
                return true
            }
        }) { broker in
            try await within(.seconds(15), "two deliveries") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                var deliveries = connection.deliveries(from: "q", prefetch: 5).makeAsyncIterator()
                let first = try #require(try await deliveries.next())
                #expect(first.headersFault?.contains("deep") == true)
                #expect(first.properties.headers.isEmpty)
                #expect(first.properties.messageID == "the id")
                #expect(first.body == [7, 8])
                let second = try #require(try await deliveries.next())
                #expect(second.headersFault == nil && second.body == [9])
                #expect(connection.status.recoveries == 0)
                await connection.close()
            }
        }
    }

    @Test func aDeliveryThatComesByteByByteIsWhole() async throws {
        let body = (0..<500).map { UInt8(truncatingIfNeeded: $0) }
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve { frame in
                guard frame.number == [60, 20] else { return false }
                try peer.sendOneByOne(Wire.consumeOk(frame.channel, tag: Self.t))
                try peer.sendOneByOne(
                    Wire.deliver(frame.channel, tag: Self.t, number: 1) + Wire.header(frame.channel, bodySize: 500)
                        + Wire.body(frame.channel, Array(body[..<1])) + Wire.frame(8, []) + Wire.body(frame.channel, [])
                        + Wire.body(frame.channel, Array(body[1...])))
                return true
            }
        }) { broker in
            try await within(.seconds(15), "a delivery") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                var deliveries = connection.deliveries(from: "q").makeAsyncIterator()
                #expect(try await deliveries.next()?.body == body)
                await connection.close()
            }
        }
    }

    /// A server that does not answer connection.close does not hold the client up for more than the five seconds it promises.
    @Test func closingIsBoundedWhateverTheServerDoes() async throws {
        try await withFakeBroker({ peer, _ in
            try peer.login()
            peer.waitForEnd()
        }) { broker in
            let connection = try await AMQPConnection.connect(broker.configuration)
            let begin = ContinuousClock.now
            try await within(.seconds(9), "the end of close()") { await connection.close() }
            #expect(ContinuousClock.now - begin >= .milliseconds(1_500))
        }
    }
}
