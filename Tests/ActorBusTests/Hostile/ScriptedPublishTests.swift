import Glibc
import Testbed
import Testing

@testable import ActorBus

/// Orders of events around publishing that a real broker shows too rarely, or too fast.
@Suite(.logsOnFailure, .timeLimit(.minutes(5))) struct ScriptedPublishTests {
    /// A server that answers no publish until the test lets it, and then the number of the oldest.
    private final class Reluctant: Sendable {
        let seen = Tally()
        private let state = Lock<(peer: FakePeer?, channel: UInt16)>((nil, 0))

        func script(_ peer: FakePeer, _ number: Int) throws {
            try peer.login()
            try peer.serve { frame in
                guard frame.number == [60, 40] else { return false }
                state.withLock { $0 = (peer, frame.channel) }
                seen.add()
                return true
            }
        }

        func confirm(_ number: UInt64, multiple: Bool = false) throws {
            let (peer, channel) = state.withLock { $0 }
            try peer?.send(Wire.ack(channel, number, multiple: multiple))
        }
    }

    private func withReluctantServer(
        window: Int, timeout: Duration = .seconds(20),
        _ body: @escaping @Sendable (Reluctant, AMQPConnection, Publisher) async throws -> Void
    ) async throws {
        let server = Reluctant()
        try await withFakeBroker({ try server.script($0, $1) }) { broker in
            try await within(.seconds(20), "the test") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let publisher = try await connection.publisher(window: window, timeout: timeout)
                try await body(server, connection, publisher)
                await connection.close()
            }
        }
    }

    @Test func theWindowBoundsWhatIsUnconfirmed() async throws {
        try await withReluctantServer(window: 3) { server, _, publisher in
            let publishes = (0..<10).map { number in
                Task { try await publisher.publish(Message(text: "\(number)"), to: "x") }
            }
            for confirmed in 0..<7 {
                try await eventually("three are on their way") { server.seen.value == confirmed + 3 }
                try server.confirm(UInt64(confirmed + 1))
            }
            try await eventually("all are on their way") { server.seen.value == 10 }
            try server.confirm(10, multiple: true)
            for publish in publishes { try await publish.value }
            #expect(server.seen.most == 10)
        }
    }

    @Test func sendingWaitsWhileTheWindowIsFull() async throws {
        try await withReluctantServer(window: 4) { server, _, publisher in
            let sent = Tally()
            let sender = Task {
                var last: PendingConfirm?
                for number in 0..<20 {
                    last = try await publisher.send(Message(text: "\(number)"), to: "x")
                    sent.add()
                }
                try await last?.confirmed()
            }
            for answered in stride(from: 0, to: 20, by: 4) {
                try await eventually("four more are on their way") { server.seen.value == answered + 4 }
                #expect(sent.value <= answered + 4)
                try server.confirm(UInt64(answered + 4), multiple: true)
            }
            try await sender.value
            #expect(server.seen.value == 20)
        }
    }

    /// Whoever waits for room goes before who comes later, however many come.
    @Test func aSenderIsNotOvertakenForEver() async throws {
        try await withReluctantServer(window: 4) { server, _, publisher in
            for number in 0..<4 { _ = try await publisher.send(Message(text: "\(number)"), to: "x") }
            let sent = Tally()
            let waiting = Task {
                _ = try await publisher.send(Message(text: "waits"), to: "x")
                sent.add()
            }
            try await eventually("four are on their way") { server.seen.value == 4 }
            // Comes after it, when there is room for one already; two are let in when half the window is free.
            try server.confirm(1)
            let late = Task { _ = try await publisher.send(Message(text: "late"), to: "x") }
            try server.confirm(2)
            try await waiting.value
            try await late.value
            #expect(sent.value == 1)
            try await eventually("six are on their way") { server.seen.value == 6 }
            try server.confirm(6, multiple: true)
        }
    }

    @Test func aCancelledSenderOrWaiterStopsWaitingAndLosesNothing() async throws {
        try await withReluctantServer(window: 1) { server, _, publisher in
            let first = try await publisher.send(Message(text: "1"), to: "x")
            let sender = Task { _ = try await publisher.send(Message(text: "2"), to: "x") }
            let waiter = Task { try await first.confirmed() }
            try await eventually("the first is on its way") { server.seen.value == 1 }
            sender.cancel()
            waiter.cancel()
            await #expect(throws: CancellationError.self) { try await sender.value }
            await #expect(throws: CancellationError.self) { try await waiter.value }
            try server.confirm(1)
            try await first.confirmed()
            let third = try await publisher.send(Message(text: "3"), to: "x")
            try await eventually("the third is on its way") { server.seen.value == 2 }
            try server.confirm(2)
            try await third.confirmed()
        }
    }

    @Test func whatIsSentOutlivesItsPublisher() async throws {
        try await withReluctantServer(window: 1, timeout: .milliseconds(300)) { server, connection, _ in
            let pending = try await connection.publisher(timeout: .milliseconds(300))
                .send(Message(text: "1"), to: "x")
            let error = await #expect(throws: AMQPError.self) { try await pending.confirmed() }
            #expect(error?.code == .maybePublished)
        }
    }

    @Test func theTimeOutTellsWhatWasSentFromWhatWasNot() async throws {
        try await withReluctantServer(window: 1, timeout: .seconds(2)) { server, connection, publisher in
            let first = Task { try await publisher.publish(Message(text: "1"), to: "x") }
            try await eventually("the first is on its way") { server.seen.value == 1 }
            let second = Task { try await publisher.publish(Message(text: "2"), to: "x") }
            let errors = [await first.result, await second.result].map { result -> AMQPError.Code? in
                guard case .failure(let error) = result else { return nil }
                return (error as? AMQPError)?.code
            }
            // The second may get the place of the first just before its own time is over.
            #expect(errors[0] == .maybePublished && (errors[1] == .timedOut || errors[1] == .maybePublished))
            let seen = server.seen.value
            #expect(seen == (errors[1] == .timedOut ? 1 : 2))
            // The first is never answered; its place in the window is given to the next all the same, on a new channel.
            let third = Task { try await publisher.publish(Message(text: "3"), to: "x") }
            try await eventually("the third is on its way") { server.seen.value == seen + 1 }
            try server.confirm(1)
            try await third.value
            #expect(connection.status.recoveries == 0)
        }
    }

    /// Those beside a message that is never answered are published again over the new channel, in order.
    @Test func aConfirmThatNeverComesCostsItsChannelAndNoOtherMessage() async throws {
        let bodies = Lock<[UInt16: [String]]>([:])
        let channels = Tally()
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve { frame in
                if frame.number == [85, 10] { channels.add() }
                if frame.type == 3 {
                    bodies.withLock {
                        $0[UInt16(channels.value), default: []].append(String(decoding: frame.payload, as: UTF8.self))
                    }
                }
                // The first channel answers nothing.
                return frame.number == [60, 40] && channels.value == 1
            }
        }) { broker in
            try await within(.seconds(60), "publishes beside one that is never answered") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let hasty = try await connection.publisher(window: 10, timeout: .seconds(16))
                let first = try await hasty.send(Message(text: "1"), to: "x")
                // So long are the others' time-outs behind the first one's.
                try await Task.sleep(for: .seconds(6))
                var rest: [PendingConfirm] = []
                for number in 2...5 { rest.append(try await hasty.send(Message(text: "\(number)"), to: "x")) }
                let error = await #expect(throws: AMQPError.self) { try await first.confirmed() }
                #expect(error?.code == .maybePublished)
                for confirm in rest { try await confirm.confirmed() }
                #expect(connection.status.recoveries == 0)
                await connection.close()
            }
        }
        #expect(bodies.withLock { $0 } == [1: ["1", "2", "3", "4", "5"], 2: ["2", "3", "4", "5"]])
    }

    @Test func cancellationBeforeItIsWrittenSendsNothing() async throws {
        try await withReluctantServer(window: 1) { server, _, publisher in
            let first = Task { try await publisher.publish(Message(text: "1"), to: "x") }
            try await eventually("the first is on its way") { server.seen.value == 1 }
            let second = Task { try await publisher.publish(Message(text: "2"), to: "x") }
            second.cancel()
            await #expect(throws: CancellationError.self) { try await second.value }
            try server.confirm(1)
            try await first.value
            let third = Task { try await publisher.publish(Message(text: "3"), to: "x") }
            try await eventually("the third is on its way") { server.seen.value == 2 }
            try server.confirm(2)
            try await third.value
        }
    }

    @Test func cancellationAfterItIsWrittenIsMaybePublished() async throws {
        try await withReluctantServer(window: 5) { server, _, publisher in
            let publish = Task { try await publisher.publish(Message(text: "1"), to: "x") }
            try await eventually("it is on its way") { server.seen.value == 1 }
            publish.cancel()
            let error = await #expect(throws: AMQPError.self) { try await publish.value }
            #expect(error?.code == .maybePublished)
            // Its late confirm harms nobody.
            try server.confirm(1)
            let next = Task { try await publisher.publish(Message(text: "2"), to: "x") }
            try await eventually("the next is on its way") { server.seen.value == 2 }
            try server.confirm(2)
            try await next.value
        }
    }

    @Test func aTaskThatIsCancelledAlreadySendsNothing() async throws {
        try await withReluctantServer(window: 5) { server, connection, publisher in
            for _ in 0..<200 {
                let publish = Task {
                    unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
                    try await publisher.publish(Message(text: "1"), to: "x")
                }
                await #expect(throws: CancellationError.self) { try await publish.value }
            }
            #expect(server.seen.value == 0)
        }
    }

    @Test func closingTellsEveryPublishWhatIsKnown() async throws {
        try await withReluctantServer(window: 1) { server, connection, publisher in
            let first = Task { try await publisher.publish(Message(text: "1"), to: "x") }
            try await eventually("the first is on its way") { server.seen.value == 1 }
            let second = Task { try await publisher.publish(Message(text: "2"), to: "x") }
            // Submitted, though not written: an answer of the actor comes after the inbox is emptied.
            try await eventually("the second waits") { await connection.hasWaitingPublish }
            await connection.close()
            #expect(await #expect(throws: AMQPError.self) { try await first.value }?.code == .maybePublished)
            #expect(await #expect(throws: AMQPError.self) { try await second.value }?.code == .connectionClosed)
            let late = await #expect(throws: AMQPError.self) {
                try await publisher.publish(Message(text: "3"), to: "x")
            }
            #expect(late?.code == .connectionClosed)
        }
    }

    /// A message that was returned, and then published again over another connection that took it, is published.
    @Test func aReturnDoesNotOutliveItsConnection() async throws {
        try await withFakeBroker({ peer, number in
            try peer.login()
            try peer.serve { frame in
                guard number == 1, frame.number == [60, 40] else { return false }
                try peer.send(Wire.basicReturn(frame.channel, exchange: "x", routingKey: "", body: Array("m".utf8)))
                throw FakePeer.Gone()
            }
        }) { broker in
            try await within(.seconds(10), "a publish over two connections") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                try await connection.publisher().publish(Message(text: "m"), to: "x")
                #expect(connection.status.recoveries == 1)
                await connection.close()
            }
        }
    }

    /// The same messages, in the same order, over the next connection.
    @Test func unconfirmedMessagesArePublishedAgainInOrder() async throws {
        let bodies = Lock<[[String]]>([[], []])
        try await withFakeBroker({ peer, number in
            try peer.login()
            try peer.serve { frame in
                if frame.type == 3, number <= 2 {
                    let count = bodies.withLock { bodies in
                        bodies[number - 1].append(String(decoding: frame.payload, as: UTF8.self))
                        return bodies[number - 1].count
                    }
                    if number == 1, count == 20 { throw FakePeer.Gone() }
                }
                return number == 1 && frame.number == [60, 40]
            }
        }) { broker in
            try await within(.seconds(15), "publishes over two connections") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let publisher = try await connection.publisher()
                try await withThrowingTaskGroup { group in
                    for number in 0..<20 {
                        group.addTask { try await publisher.publish(Message(text: "\(number)"), to: "x") }
                    }
                    try await group.waitForAll()
                }
                await connection.close()
            }
        }
        let (first, second) = bodies.withLock { ($0[0], $0[1]) }
        #expect(Set(first).count == 20)
        #expect(second == first)
    }

    /// A message that was alone on its channel is to blame for the channel's end, whatever the broker says of it.
    @Test func aMessageAloneOnItsChannelIsToBlameForItsEnd() async throws {
        try await withFakeBroker({ peer, number in
            try peer.login()
            let count = Tally()
            try peer.serve { frame in
                guard frame.number == [60, 40], count.add() == 1 else { return false }
                try peer.send(Wire.channelClose(frame.channel, 406, "PRECONDITION_FAILED - something"))
                return true
            }
        }) { broker in
            try await within(.seconds(10), "a publish behind one that failed") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let publisher = try await connection.publisher()
                let error = await #expect(throws: AMQPError.self) {
                    try await publisher.publish(Message(text: "1"), to: "x")
                }
                #expect(error?.code == .preconditionFailed)
                try await publisher.publish(Message(text: "2"), to: "x")
                #expect(connection.status.recoveries == 0)
                await connection.close()
            }
        }
    }

    /// Nothing is as busy as a client whose heartbeat is due while its socket is full: it must wait all the same.
    @Test func aFullSocketCostsNoProcessorTime() async throws {
        let isLoggedIn = Gate()
        try await withFakeBroker({ peer, _ in
            try peer.login(heartbeat: 1)
            try peer.wait(for: [20, 10])
            try peer.send(Wire.channelOpenOk(1))
            try peer.wait(for: [85, 10])
            try peer.send(Wire.method(85, 11, channel: 1))
            isLoggedIn.open()
            // Reads nothing more, but lives.
            for _ in 0..<60 {
                try peer.send(Wire.frame(8, []))
                usleep(100_000)
            }
        }) { broker in
            var configuration = broker.configuration
            configuration.heartbeat = .seconds(1)
            let connection = try await AMQPConnection.connect(configuration)
            let publisher = try await connection.publisher(timeout: .seconds(3))
            let publish = Task {
                try await publisher.publish(Message(body: [UInt8](repeating: 1, count: 32 << 20)), to: "x")
            }
            let before = await connection.threadMilliseconds
            let error = await #expect(throws: AMQPError.self) { try await publish.value }
            #expect(error?.code == .maybePublished)
            let used = await connection.threadMilliseconds - before
            #expect(used < 700, "of 3000 ms \(used) were spent by the connection's thread")
            let problem = connection.status.problem
            #expect(problem == nil || connection.status.state != .open)
        }
    }

    /// A channel that refuses once may refuse for ever (a quorum queue whose leader went away), so another takes its place.
    @Test func aRefusalBringsANewChannel() async throws {
        let channels = Tally()
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve { frame in
                if frame.number == [85, 10] { channels.add() }
                guard frame.number == [60, 40], channels.value == 1 else { return false }
                try peer.send(Wire.method(60, 120, channel: frame.channel, WireBytes().u64(1).u8(0)))
                return true
            }
        }) { broker in
            try await within(.seconds(15), "a publish on the new channel") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let publisher = try await connection.publisher()
                let refused = try await failure("a refusal") {
                    try await publisher.publish(Message(text: "1"), to: "x")
                }
                #expect(refused.code == .refused)
                try await publisher.publish(Message(text: "2"), to: "x")
                #expect(channels.value == 2)
                #expect(connection.status.recoveries == 0)
                await connection.close()
            }
        }
    }
}

extension AMQPConnection {
    /// The processor time of the connection's thread.
    fileprivate var threadMilliseconds: Int { ProcessFacts.threadMilliseconds }

    fileprivate var hasWaitingPublish: Bool { publishers.values.contains { $0.hasWaiting } }
}

extension PublisherCore {
    fileprivate var hasWaiting: Bool { nextDeadline != nil }
}
