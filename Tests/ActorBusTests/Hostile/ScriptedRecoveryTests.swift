import Glibc
import Testbed
import Testing

@testable import ActorBus

/// Orders of events around consumers, channels and recovery that a real broker shows too rarely.
@Suite(.logsOnFailure, .timeLimit(.minutes(5))) struct ScriptedRecoveryTests {
    /// A publisher that is made while a recovery registers the consumers gets its channel all the same.
    @Test func aPublisherMadeDuringARecoveryIsAttached() async throws {
        let (isRegistering, mayRegister) = (Gate(), Gate())
        let semaphore = Semaphore()
        try await withFakeBroker({ peer, number in
            try peer.login()
            try peer.serve { frame in
                guard frame.number == [60, 20] else { return false }
                if number == 1 {
                    try peer.send(Wire.consumeOk(frame.channel, tag: "t"))
                    throw FakePeer.Gone()
                }
                isRegistering.open()
                semaphore.wait()
                return false
            }
        }) { broker in
            defer { semaphore.signal() }
            try await within(.seconds(15), "a publish after the recovery") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let consumer = Task { for try await _ in connection.deliveries(from: "q") {} }
                await isRegistering.pass()
                let publisher = try await connection.publisher(timeout: .seconds(5))
                semaphore.signal()
                mayRegister.open()
                try await publisher.publish(Message(text: "m"), to: "x")
                await connection.close()
                _ = await consumer.result
            }
        }
    }

    /// "… is down or inaccessible" mends itself: the consumer is asked for again, over the same connection.
    @Test(
        arguments: [
            (404, "NOT_FOUND - home node 'a@b' of durable queue 'q' in vhost '/' is down or inaccessible"),
            (541, "INTERNAL_ERROR"),
        ] as [(UInt16, String)])
    func aConsumerThatIsRefusedForNowIsRegisteredLater(code: UInt16, text: String) async throws {
        let asked = Tally()
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve { frame in
                guard frame.number == [60, 20], asked.add() < 3 else { return false }
                try peer.send(Wire.channelClose(frame.channel, code, text))
                return true
            }
        }) { broker in
            try await within(.seconds(15), "a consumer that is registered") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let consumer = Task { for try await _ in connection.deliveries(from: "q") {} }
                try await connection.status("one consumer") { $0.registeredConsumers == 1 && $0.isReady }
                #expect(asked.value == 3)
                #expect(connection.status.recoveries == 0)
                await connection.close()
                _ = await consumer.result
            }
        }
    }

    /// Both sides close a channel at once: each answers the other, and the connection lives on, with its channel numbers free.
    @Test func aCloseThatCrossesACloseHarmsNothing() async throws {
        let crossed = Tally()
        try await withFakeBroker({ peer, _ in
            try peer.login(channelMax: 1)
            try peer.serve { frame in
                guard frame.number == [20, 40], crossed.add() == 1 else { return false }
                try peer.send(Wire.channelClose(frame.channel, 406, "PRECONDITION_FAILED - crossing"))
                try peer.send(Wire.method(20, 41, channel: frame.channel))
                return true
            }
        }) { broker in
            try await within(.seconds(15), "calls over a channel number used again") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                _ = try? await connection.inspect(queue: "q")
                for _ in 0..<5 { _ = try await connection.inspect(queue: "q") }
                #expect(crossed.value == 6)
                #expect(connection.status.recoveries == 0)
                await connection.close()
            }
        }
    }

    /// What a session said that never became ready says nothing of the next one.
    @Test func aBlockadeGoesWithItsSession() async throws {
        try await withFakeBroker({ peer, number in
            try peer.login()
            if number == 2 { try peer.send(Wire.method(10, 60, WireBytes().short("low on memory"))) }
            try peer.serve { frame in
                switch (number, frame.queue) {
                case (1, "end"): throw FakePeer.Gone()
                case (2, "q"):
                    try peer.send(
                        Wire.channelClose(frame.channel, 404, "NOT_FOUND - queue 'q' is down or inaccessible"))
                    return true
                default: return false
                }
            }
        }) { broker in
            let connection = try await AMQPConnection.connect(broker.configuration, topology: Topology { Queue("q") })
            let updates = connection.statusUpdates()
            await #expect(throws: AMQPError.self) { _ = try await connection.inspect(queue: "end") }
            let wasBlocked = try await within(.seconds(15), "the third session") {
                var wasBlocked = false
                for await status in updates {
                    wasBlocked = wasBlocked || status.blocked != nil
                    if status.recoveries == 1 { break }
                }
                return wasBlocked
            }
            #expect(wasBlocked && connection.status.blocked == nil)
            await connection.close()
        }
    }

    /// What cannot be sent leaves no channel behind.
    @Test func aNameThatIsTooLongCostsNoChannel() async throws {
        try await withFakeBroker({ peer, _ in
            try peer.login(channelMax: 1)
            try peer.serve()
        }) { broker in
            try await within(.seconds(15), "a call behind one that failed") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let name = String(repeating: "n", count: 256)
                let error = await #expect(throws: AMQPError.self) { try await connection.inspect(queue: name) }
                #expect(error?.code == .invalidMessage || error?.code == .invalidConfiguration)
                await #expect(throws: AMQPError.self) { try await connection.declare(Topology { Queue(name) }) }
                await #expect(throws: AMQPError.self) {
                    for try await _ in connection.deliveries(from: name) {}
                }
                // Its channel is closed behind the error's back.
                try await eventually("the only channel is free") {
                    (try? await connection.inspect(queue: "q")) != nil
                }
                #expect(connection.status.recoveries == 0)
                #expect(connection.status.consumers == 0)
                await connection.close()
            }
        }
    }

    @Test func channelsAreBoundedByWhatTheBrokerAllows() async throws {
        try await withFakeBroker({ peer, _ in
            try peer.login(channelMax: 1)
            try peer.serve()
        }) { broker in
            try await within(.seconds(15), "the refusal of a second channel") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let first = try await connection.publisher()
                let error = await #expect(throws: AMQPError.self) { _ = try await connection.publisher() }
                #expect(error?.code == .systemResource)
                try await first.publish(Message(text: "m"), to: "x")
                await connection.close()
            }
        }
    }

    /// An acknowledgment for a delivery of a lost connection is not sent over the next one, where its number means another message.
    @Test func aStaleSettlementIsNotSent() async throws {
        let settled = Lock<[[UInt8]]>([])
        try await withFakeBroker({ peer, number in
            try peer.login()
            try peer.serve { frame in
                if [[60, 80], [60, 120], [60, 90]].contains(frame.number) {
                    settled.withLock { $0.append([UInt8(number)] + frame.payload[4..<12]) }
                    if number == 1 { throw FakePeer.Gone() }
                }
                guard frame.number == [60, 20] else { return false }
                try peer.send(Wire.consumeOk(frame.channel, tag: "t"))
                for tag in 1...3 as ClosedRange<UInt64> {
                    try peer.send(
                        Wire.delivery(frame.channel, tag: "t", number: tag, body: [UInt8(number), UInt8(tag)]))
                }
                return true
            }
        }) { broker in
            try await within(.seconds(15), "settlements over two connections") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                var deliveries = connection.deliveries(from: "q", prefetch: 10).makeAsyncIterator()
                let old = [try #require(try await deliveries.next()), try #require(try await deliveries.next())]
                old[0].acknowledge()
                try await connection.status("recovered") { $0.recoveries == 1 && $0.isReady }
                old[1].acknowledge()
                old[1].requeue()
                // What the first connection brought and nobody took is gone with it.
                let new = try #require(try await deliveries.next())
                #expect(new.body == [2, 1])
                new.acknowledge()
                new.acknowledge()
                await connection.close()
            }
        }
        #expect(settled.withLock { $0 } == [[1, 0, 0, 0, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 0, 0, 0, 1]])
    }

    /// A consumer that was left with a delivery in hand does not stay in the books when its connection is lost.
    @Test func aConsumerThatWasLeftIsForgottenWithItsConnection() async throws {
        let mayBreak = Semaphore()
        try await withFakeBroker({ peer, number in
            try peer.login()
            try peer.serve { frame in
                if frame.number == [60, 30], number == 1 {
                    mayBreak.wait()
                    throw FakePeer.Gone()
                }
                guard frame.number == [60, 20] else { return false }
                try peer.send(
                    Wire.consumeOk(frame.channel, tag: "t")
                        + Wire.delivery(frame.channel, tag: "t", number: 1, body: [1]))
                return true
            }
        }) { broker in
            defer { mayBreak.signal() }
            try await within(.seconds(15), "the end of a consumer") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                var held: Delivery?
                for try await delivery in connection.deliveries(from: "q") {
                    held = delivery
                    break
                }
                mayBreak.signal()
                try await connection.status("recovered") { $0.recoveries == 1 && $0.isReady }
                held?.acknowledge()
                try await eventually("no consumer is left") { await connection.hasNoConsumers }
                await connection.close()
            }
        }
    }

    /// A connection that is dropped while somebody watches its status ends the watching.
    @Test func theStatusUpdatesOfADroppedConnectionEnd() async throws {
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve()
        }) { broker in
            var connection: AMQPConnection? = try await AMQPConnection.connect(broker.configuration)
            let updates = try #require(connection).statusUpdates()
            connection = nil
            try await within(.seconds(5), "the end of the updates") { for await _ in updates {} }
        }
    }

    /// A recovery that can never succeed ends the connection, with the reason.
    @Test func aTopologyThatIsRefusedAfterARecoveryClosesTheConnection() async throws {
        try await withFakeBroker({ peer, number in
            try peer.login()
            try peer.serve { frame in
                if number == 1, frame.number == [60, 20] { throw FakePeer.Gone() }
                guard number > 1, frame.number == [50, 10] else { return false }
                try peer.send(Wire.channelClose(frame.channel, 406, "PRECONDITION_FAILED - inequivalent arg"))
                return true
            }
        }) { broker in
            try await within(.seconds(15), "the end of the connection") {
                let connection = try await AMQPConnection.connect(
                    broker.configuration, topology: Topology { Queue("q") })
                let error = await #expect(throws: AMQPError.self) {
                    for try await _ in connection.deliveries(from: "q") {}
                }
                #expect(error?.code == .preconditionFailed)
                let status = try await connection.status("closed") { $0.state == .closed }
                #expect(status.problem?.contains("inequivalent arg") == true)
                let publish = await #expect(throws: AMQPError.self) { _ = try await connection.publisher() }
                #expect(publish?.code == .preconditionFailed)
            }
        }
    }

    /// Each recovery asks for the same consumers; none is lost, and none comes twice.
    @Test func consumersComeBackAfterEveryOfManyLosses() async throws {
        let consumers = Lock<[Int: Int]>([:])
        try await withFakeBroker({ peer, number in
            try peer.login()
            try peer.serve { frame in
                guard frame.number == [60, 20] else { return false }
                let count = consumers.withLock { consumers in
                    consumers[number, default: 0] += 1
                    return consumers[number]!
                }
                try peer.send(Wire.consumeOk(frame.channel, tag: "t"))
                if count == 5, number < 20 { throw FakePeer.Gone() }
                return true
            }
        }) { broker in
            try await within(.seconds(40), "twenty recoveries") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let readers = (0..<5).map { number in
                    Task { for try await _ in connection.deliveries(from: "q\(number)") {} }
                }
                // The server goes away right behind its answer to the fifth, so some attempts fail before they count as recoveries.
                try await connection.status(within: .seconds(30), "five consumers at last") {
                    broker.accepted >= 20 && $0.isReady && $0.consumers == 5
                }
                // One more than twenty where a busy machine made an attempt of its own accord run out of time.
                #expect(consumers.withLock { $0[broker.accepted] } == 5)
                await connection.close()
                for reader in readers { _ = await reader.result }
            }
        }
    }

    /// A basic.cancel may come in the same packet as the consume-ok that it ends.
    @Test func aConsumerThatIsCancelledAsSoonAsItIsThereIsAskedForAgain() async throws {
        let asked = Tally()
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve { frame in
                guard frame.number == [60, 20], asked.add() == 1 else { return false }
                let tag = "actorbus-1"
                let cancel = Wire.method(60, 30, channel: frame.channel, WireBytes().short(tag).u8(1))
                try peer.send(Wire.consumeOk(frame.channel, tag: tag) + cancel)
                return true
            }
        }) { broker in
            try await within(.seconds(15), "a consumer that is registered") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let consumer = Task { for try await _ in connection.deliveries(from: "q") {} }
                try await connection.status("one consumer") { $0.registeredConsumers == 1 && asked.value == 2 }
                await connection.close()
                _ = await consumer.result
            }
        }
    }

    /// What is given back on the way out must not be handed to the consumer that is going.
    @Test func aConsumerIsCancelledBeforeItsUnreadGoBack() async throws {
        let order = Lock<[[UInt16]]>([])
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve { frame in
                if frame.number == [60, 20] {
                    try peer.send(Wire.consumeOk(frame.channel, tag: "t"))
                    for number in 1...3 as ClosedRange<UInt64> {
                        try peer.send(Wire.delivery(frame.channel, tag: "t", number: number, body: [1]))
                    }
                    return true
                }
                if frame.number.first == 60 { order.withLock { $0.append(frame.number) } }
                return frame.number.first == 60 && frame.number != [60, 10]
            }
        }) { broker in
            try await within(.seconds(15), "the end of the loop") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                for try await delivery in connection.deliveries(from: "q", prefetch: 3) {
                    delivery.acknowledge()
                    break
                }
                try await eventually("two given back") { order.withLock { $0.count { $0 == [60, 120] } } == 2 }
                await connection.close()
            }
        }
        let sent = order.withLock { $0 }
        let cancelled = try #require(sent.firstIndex(of: [60, 30]))
        let givenBack = try #require(sent.firstIndex(of: [60, 120]))
        #expect(cancelled < givenBack)
    }
}

extension AMQPConnection {
    var hasNoConsumers: Bool { consumers.isEmpty }
}

/// For the threads of a fake broker, which may block.
final class Semaphore: Sendable {
    private let descriptor = SystemCalls.makeEventDescriptor()

    deinit { close(descriptor) }

    func signal() {
        var one: UInt64 = 1
        _ = unsafe write(descriptor, &one, 8)
    }

    /// Waits for a signal, at most 20 seconds; signals are never used up.
    func wait() {
        var waited = pollfd(fd: descriptor, events: CShort(POLLIN), revents: 0)
        _ = unsafe poll(&waited, 1, 20_000)
    }

}
