import Testing

@testable import ActorBus

/// Ends of consumers and of their channels that cross something else.
///
/// To inspect a queue with a telling name is a test's word to its server, which does what the name says before it answers.
@Suite(.timeLimit(.minutes(5))) struct ScriptedConsumerTests {
    private static let tag = "actorbus-1"

    /// What a broker sends for a channel that it was asked to close.
    struct Lateness: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// Within the time that the client waits.
        var early: [UInt8] = []
        /// When it has given up.
        let late: [UInt8]

        private static let closeOk = Wire.method(20, 41, channel: 1)

        static let all = [
            Lateness(testDescription: "nothing but the close-ok", late: closeOk),
            Lateness(
                testDescription: "what was on its way",
                late: Wire.delivery(1, tag: tag, number: 2, body: [2])
                    + Wire.basicReturn(1, exchange: "x", routingKey: "", body: [3]) + Wire.ack(1, 1)
                    + Wire.cancel(1, tag: tag) + closeOk),
            Lateness(
                testDescription: "a message in two parts",
                early: Wire.deliver(1, tag: tag, number: 2) + Wire.header(1, bodySize: 2) + Wire.body(1, [1]),
                late: Wire.body(1, [2]) + closeOk),
            Lateness(
                testDescription: "a close of its own",
                late: Wire.channelClose(1, 406, "PRECONDITION_FAILED - crossing") + closeOk),
            Lateness(
                testDescription: "a channel.flow, which wants no answer any more",
                early: Wire.method(20, 20, channel: 1, WireBytes().u8(1)), late: closeOk),
        ]
    }

    /// The broker may be slow to confirm that a channel is closed: its number is not used meanwhile, and the connection lives on.
    @Test(arguments: Lateness.all)
    func aChannelWhoseEndIsConfirmedTooLateHarmsNothing(_ lateness: Lateness) async throws {
        let opened = Lock<[UInt16]>([])
        let behindTheClose = Lock<[[UInt16]]>([])
        try await withFakeBroker({ peer, number in
            try peer.login()
            var (wasClosed, isLate) = (false, false)
            try peer.serve { frame in
                guard number == 1 else { return false }
                if frame.number == [20, 10] { opened.withLock { $0.append(frame.channel) } }
                if wasClosed, !isLate, frame.channel == 1 { behindTheClose.withLock { $0.append(frame.number) } }
                switch (frame.number, frame.queue) {
                case ([60, 20], _):
                    try peer.send(
                        Wire.consumeOk(1, tag: Self.tag) + Wire.delivery(1, tag: Self.tag, number: 1, body: [1]))
                    return true
                case ([60, 30], _): return true
                case ([20, 40], _) where !wasClosed:
                    wasClosed = true
                    try peer.send(lateness.early)
                    return true
                case ([50, 10], "late"):
                    isLate = true
                    try peer.send(lateness.late)
                case ([50, 10], "hostile"): try peer.send(Wire.ack(7, 1))
                default: break
                }
                return false
            }
        }) { broker in
            try await within(.seconds(20), "calls beside a channel that is slow to close") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                for try await delivery in connection.deliveries(from: "q") {
                    delivery.acknowledge()
                    break
                }
                try await eventually("the client waits no longer") { await connection.hasNoConsumers }
                for queue in ["other", "late", "other"] { _ = try await connection.inspect(queue: queue) }
                #expect(connection.status.recoveries == 0)
                #expect(opened.withLock { $0 } == [1, 2, 2, 1])
                #expect(behindTheClose.withLock { $0 } == [])
                // A channel that was never open is another matter.
                _ = try? await connection.inspect(queue: "hostile")
                try await connection.status("recovered") { $0.recoveries == 1 && $0.isReady }
                await connection.close()
            }
        }
    }
}

extension FakePeer.Frame {
    /// The queue that a queue.declare or a basic.consume names; empty for every other frame.
    fileprivate var queue: String {
        guard [[50, 10], [60, 20]].contains(number), payload.count > 7 else { return "" }
        return String(decoding: payload[7...].prefix(Int(payload[6])), as: UTF8.self)
    }
}

extension Wire {
    fileprivate static func cancel(_ channel: UInt16, tag: String) -> [UInt8] {
        method(60, 30, channel: channel, WireBytes().short(tag).u8(1))
    }
}
