import Testbed
import Testing

@testable import ActorBus

/// Ends of consumers and of their channels that cross something else.
///
/// To inspect a queue with a telling name is a test's word to its server, which does what the name says before it answers.
@Suite(.logsOnFailure, .timeLimit(.minutes(5))) struct ScriptedConsumerTests {
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

    /// The broker cancels a consumer and closes its channel behind that: it is asked for again once, and not twice.
    @Test func aCancelAndACloseBringOneConsumer() async throws {
        let asked = Tally()
        let isDeclaring = Gate()
        try await withFakeBroker({ peer, _ in
            try peer.login()
            var declared = 0
            var consuming: UInt16 = 0
            var unanswered: [UInt16] = []
            try peer.serve { frame in
                switch (frame.number, frame.queue) {
                case ([60, 20], _):
                    consuming = frame.channel
                    if asked.add() > 1 { return false }
                    try peer.send(Wire.consumeOk(consuming, tag: Self.tag) + Wire.cancel(consuming, tag: Self.tag))
                    return true
                case ([50, 10], "q"):
                    declared += 1
                    // The first is that of the connection's begin.
                    guard declared > 1 else { return false }
                    if declared == 2 { try peer.send(Wire.channelClose(consuming, 541, "INTERNAL_ERROR")) }
                    unanswered.append(frame.channel)
                    isDeclaring.open()
                    return true
                case ([50, 10], "answer"):
                    for channel in unanswered { try peer.send(Wire.declareOk(channel)) }
                default: break
                }
                return false
            }
        }) { broker in
            try await within(.seconds(15), "a consumer that is registered again") {
                var configuration = broker.configuration
                configuration.recoveryDelay = .zero...(.zero)
                let connection = try await AMQPConnection.connect(configuration, topology: Topology { Queue("q") })
                let consumer = Task { for try await _ in connection.deliveries(from: "q") {} }
                await isDeclaring.pass()
                // Leaves a second attempt the time to come as far as the first.
                for _ in 0..<20 { _ = try await connection.inspect(queue: "other") }
                _ = try await connection.inspect(queue: "answer")
                try await connection.status("one consumer") { $0.registeredConsumers == 1 }
                for _ in 0..<20 { _ = try await connection.inspect(queue: "other") }
                #expect(asked.value == 2)
                #expect(connection.status.recoveries == 0)
                await connection.close()
                _ = await consumer.result
            }
        }
    }

    /// A broker that wants to know that its basic.cancel has come is told before the consumer is asked for again, under a
    /// fresh tag, since it may keep the old one until then. One that does not say so takes no answer.
    @Test(arguments: [true, false])
    func aCancelIsAnsweredWhereThatIsWantedAndTheTagIsFresh(noWait: Bool) async throws {
        let order = Lock<[[UInt16]]>([])
        let tags = Lock<[String]>([])
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve { frame in
                guard frame.number.first == 60, frame.number != [60, 10] else { return false }
                order.withLock { $0.append(frame.number) }
                guard frame.number == [60, 20] else { return true }
                let tag = frame.consumerTag
                let isFirst = tags.withLock {
                    $0.append(tag)
                    return $0.count == 1
                }
                try peer.send(Wire.consumeOk(frame.channel, tag: tag))
                if isFirst {
                    try peer.send(
                        Wire.method(60, 30, channel: frame.channel, WireBytes().short(tag).u8(noWait ? 1 : 0)))
                }
                return true
            }
        }) { broker in
            try await within(.seconds(15), "a consumer that is registered again") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let consumer = Task { for try await _ in connection.deliveries(from: "q") {} }
                try await connection.status("one consumer") {
                    $0.registeredConsumers == 1 && tags.withLock { $0.count } == 2
                }
                await connection.close()
                _ = await consumer.result
            }
        }
        #expect(Set(tags.withLock { $0 }).count == 2)
        #expect(order.withLock { $0 } == (noWait ? [[60, 20], [60, 20]] : [[60, 20], [60, 31], [60, 20]]))
    }

    /// A consumer that is cancelled as soon as it is there is not asked for all the time.
    @Test func consumersThatDoNotLastAreAskedForLessAndLessOften() async throws {
        let asked = Tally()
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve { frame in
                guard frame.number == [60, 20] else { return false }
                asked.add()
                try peer.send(
                    Wire.consumeOk(frame.channel, tag: frame.consumerTag)
                        + Wire.cancel(frame.channel, tag: frame.consumerTag))
                return true
            }
        }) { broker in
            var configuration = broker.configuration
            configuration.recoveryDelay = .milliseconds(50)...(.seconds(60))
            try await within(.seconds(20), "the pauses") { [configuration] in
                let connection = try await AMQPConnection.connect(configuration)
                let consumer = Task { for try await _ in connection.deliveries(from: "q") {} }
                try await Task.sleep(for: .seconds(3))
                #expect((2...25).contains(asked.value), "\(asked.value) registrations in three seconds")
                await connection.close()
                _ = await consumer.result
            }
        }
    }

    /// A queue that nobody here declares and that is gone ends its consumer, when it has been gone for long enough.
    @Test func aQueueThatStaysAwayEndsItsConsumer() async throws {
        let asked = Tally()
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve { frame in
                guard frame.number == [60, 20] else { return false }
                if asked.add() == 1 {
                    try peer.send(
                        Wire.consumeOk(frame.channel, tag: frame.consumerTag)
                            + Wire.cancel(frame.channel, tag: frame.consumerTag))
                } else {
                    try peer.send(Wire.channelClose(frame.channel, 404, "NOT_FOUND - no queue 'q' in vhost '/'"))
                }
                return true
            }
        }) { broker in
            var configuration = broker.configuration
            configuration.refusalPatience = .seconds(1)
            try await within(.seconds(15), "the end of a consumer") { [configuration] in
                let connection = try await AMQPConnection.connect(configuration)
                let error = await #expect(throws: AMQPError.self) {
                    for try await _ in connection.deliveries(from: "q") {}
                }
                #expect(error?.code == .notFound && asked.value > 3, "asked \(asked.value) times")
                #expect(connection.status.isReady && connection.status.consumers == 0)
                await connection.close()
            }
        }
    }

    /// What was about to register a consumer again on a connection that is lost is in nobody's way on the next.
    @Test func aConsumerIsAskedForAgainOnEveryConnection() async throws {
        try await withFakeBroker({ peer, _ in
            try peer.login()
            var consuming: UInt16 = 0
            try peer.serve { frame in
                switch (frame.number, frame.queue) {
                case ([60, 20], _): consuming = frame.channel
                case ([50, 10], "cancel"): try peer.send(Wire.cancel(consuming, tag: Self.tag))
                case ([50, 10], "leave"): throw FakePeer.Gone()
                default: break
                }
                return false
            }
        }) { broker in
            try await within(.seconds(30), "a consumer over ten connections") {
                var configuration = broker.configuration
                configuration.recoveryDelay = .milliseconds(50)...(.milliseconds(50))
                let connection = try await AMQPConnection.connect(configuration)
                let consumer = Task { for try await _ in connection.deliveries(from: "q") {} }
                try await connection.status("one consumer") { $0.registeredConsumers == 1 }
                for recovery in 1...10 as ClosedRange<UInt64> {
                    _ = try await connection.inspect(queue: "cancel")
                    _ = try? await connection.inspect(queue: "leave")
                    try await connection.status("recovered") { $0.recoveries == recovery && $0.isReady }
                    _ = try await connection.inspect(queue: "cancel")
                    try await connection.status(within: .seconds(5), "registered again") {
                        $0.registeredConsumers == 1
                    }
                }
                await connection.close()
                _ = await consumer.result
            }
        }
    }

    /// A reader who leaves with a delivery in hand while there is no connection leaves no consumer behind.
    @Test func aConsumerThatIsLeftDuringARecoveryIsForgotten() async throws {
        let asked = Tally()
        let mayRecover = Semaphore()
        try await withFakeBroker({ peer, number in
            if number > 1 { mayRecover.wait() }
            try peer.login()
            try peer.serve { frame in
                if frame.number == [50, 10], frame.queue == "leave" { throw FakePeer.Gone() }
                guard frame.number == [60, 20] else { return false }
                asked.add()
                try peer.send(
                    Wire.consumeOk(frame.channel, tag: Self.tag)
                        + Wire.delivery(frame.channel, tag: Self.tag, number: 1, body: [1]))
                return true
            }
        }) { broker in
            defer { mayRecover.signal() }
            try await within(.seconds(15), "the end of a consumer") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let reader = Reader(of: connection)
                let held = try await reader.next()
                _ = try? await connection.inspect(queue: "leave")
                try await connection.status("recovering") { $0.state == .recovering }
                await reader.leave()
                try await eventually("no consumer is left") { await connection.hasNoConsumers }
                mayRecover.signal()
                try await connection.status("recovered") { $0.recoveries == 1 && $0.isReady }
                held.acknowledge()
                #expect(asked.value == 1)
                await connection.close()
            }
        }
    }

    /// The same while it is registered again over the channel that it has, and that the broker then closes.
    @Test func aConsumerThatIsLeftWhileItIsRegisteredAgainIsForgotten() async throws {
        let asked = Tally()
        let isAskedAgain = Gate()
        try await withFakeBroker({ peer, _ in
            try peer.login()
            var consuming: UInt16 = 0
            try peer.serve { frame in
                switch (frame.number, frame.queue) {
                case ([60, 20], _):
                    consuming = frame.channel
                    if asked.add() > 1 {
                        isAskedAgain.open()
                    } else {
                        try peer.send(
                            Wire.consumeOk(consuming, tag: Self.tag)
                                + Wire.delivery(consuming, tag: Self.tag, number: 1, body: [1]))
                    }
                    return true
                case ([60, 30], _):
                    try peer.send(Wire.channelClose(frame.channel, 541, "INTERNAL_ERROR"))
                    return true
                case ([50, 10], "cancel"): try peer.send(Wire.cancel(consuming, tag: Self.tag))
                default: break
                }
                return false
            }
        }) { broker in
            try await within(.seconds(20), "the end of a consumer") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let reader = Reader(of: connection)
                let held = try await reader.next()
                _ = try await connection.inspect(queue: "cancel")
                await isAskedAgain.pass()
                await reader.leave()
                try await eventually(within: .seconds(5), "no consumer is left") { await connection.hasNoConsumers }
                held.acknowledge()
                #expect(asked.value == 2)
                #expect(connection.status.recoveries == 0)
                await connection.close()
            }
        }
    }

    /// The broker's basic.cancel may cross ours: what is in hand is settled all the same, and the channel is closed behind it.
    @Test func aConsumerThatBothSidesCancelSettlesWhatIsInHand() async throws {
        let (cancelled, ended) = (Gate(), Gate())
        let last = Lock<[[UInt16]]>([])
        try await withFakeBroker({ peer, _ in
            try peer.login()
            var consuming: UInt16 = 0
            try peer.serve { frame in
                switch frame.number {
                case [60, 20]:
                    consuming = frame.channel
                    try peer.send(
                        Wire.consumeOk(consuming, tag: Self.tag)
                            + Wire.delivery(consuming, tag: Self.tag, number: 1, body: [1]))
                    return true
                case [60, 30]:
                    try peer.send(Wire.cancel(consuming, tag: Self.tag))
                    cancelled.open()
                    return true
                case [60, 80], [20, 40]:
                    guard frame.channel == consuming else { return false }
                    last.withLock { $0.append(frame.number) }
                    if frame.number == [20, 40] { ended.open() }
                default: break
                }
                return false
            }
        }) { broker in
            try await within(.seconds(10), "an acknowledgment and the end of a channel") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let reader = Reader(of: connection)
                let held = try await reader.next()
                await reader.leave()
                await cancelled.pass()
                // Its answer comes behind the cancel.
                _ = try await connection.inspect(queue: "other")
                held.acknowledge()
                await ended.pass()
                #expect(last.withLock { $0 } == [[60, 80], [20, 40]])
                try await eventually("no consumer is left") { await connection.hasNoConsumers }
                #expect(connection.status.recoveries == 0)
                await connection.close()
            }
        }
    }
}

/// Reads one delivery, and leaves the sequence when it is told to.
private struct Reader {
    private let mayLeave = Gate()
    private let hasRead = Gate()
    private let delivery = Lock<Delivery?>(nil)
    private let task: Task<Void, any Error>

    init(of connection: AMQPConnection) {
        task = Task { [mayLeave, hasRead, delivery] in
            defer { hasRead.open() }
            var deliveries = connection.deliveries(from: "q").makeAsyncIterator()
            let first = try await deliveries.next()
            delivery.withLock { $0 = first }
            hasRead.open()
            await mayLeave.pass()
            withExtendedLifetime(deliveries) {}
        }
    }

    func next() async throws -> Delivery {
        await hasRead.pass()
        return try #require(delivery.withLock { $0 })
    }

    /// Returns when the iterator is gone.
    func leave() async {
        mayLeave.open()
        _ = await task.result
    }
}

extension Wire {
    fileprivate static func cancel(_ channel: UInt16, tag: String) -> [UInt8] {
        method(60, 30, channel: channel, WireBytes().short(tag).u8(1))
    }

    fileprivate static func declareOk(_ channel: UInt16) -> [UInt8] {
        method(50, 11, channel: channel, WireBytes().short("q").u32(0).u32(0))
    }
}
