import Testbed
import Testing

@testable import ActorBus

/// What a connection tells of itself, and what it goes on without.
///
/// To inspect a queue with a telling name is a test's word to its server, which does what the name says before it answers.
@Suite(.logsOnFailure, .timeLimit(.minutes(5))) struct ConnectionEventTests {
    /// All events until the last.
    private func all(_ events: AsyncStream<ConnectionEvent>) async throws -> [ConnectionEvent] {
        try await within(.seconds(15), "the last event") {
            var all: [ConnectionEvent] = []
            for await event in events { all.append(event) }
            return all
        }
    }

    @Test func aLossAndARecoveryAreToldInOrder() async throws {
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve { frame in
                if frame.queue == "leave" { throw FakePeer.Gone() }
                return false
            }
        }) { broker in
            let connection = try await AMQPConnection.connect(broker.configuration)
            let events = connection.events
            _ = try? await connection.inspect(queue: "leave")
            try await connection.status("recovered") { $0.recoveries == 1 && $0.isReady }
            await connection.close()
            let told = try await all(events)
            try #require(told.count == 6, "\(told)")
            let here = ConnectionEvent.connected(to: broker.configuration.endpoints[0], server: "a broker")
            #expect(told[0] == here && told[3] == here)
            guard case .lost(let error) = told[1], case .attempt(1, let pause) = told[2] else {
                Issue.record("\(told)")
                return
            }
            #expect(error.code == .connectionLost && pause <= broker.configuration.recoveryDelay.upperBound)
            #expect(told[4] == .recovered(attempts: 1, skipped: []) && told[5] == .closed(nil))
            // Whoever comes too late is told that, and nothing else.
            #expect(try await all(connection.events) == [.closed(nil)])
        }
    }

    @Test func aBlockadeIsToldAlsoToWhoComesLater() async throws {
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve { frame in
                if frame.queue == "block" { try peer.send(Wire.method(10, 60, WireBytes().short("low on memory"))) }
                if frame.queue == "next" {
                    // One alarm is over and another raised, in one read.
                    try peer.send(Wire.method(10, 61) + Wire.method(10, 60, WireBytes().short("low on disk")))
                }
                if frame.queue == "unblock" { try peer.send(Wire.method(10, 61)) }
                return false
            }
        }) { broker in
            let connection = try await AMQPConnection.connect(broker.configuration)
            let events = connection.events
            _ = try await connection.inspect(queue: "block")
            _ = try await connection.inspect(queue: "next")
            let later = connection.events
            _ = try await connection.inspect(queue: "unblock")
            let last = connection.events
            await connection.close()
            let told = try await all(events)
            let alarms: [ConnectionEvent] = [
                .blocked("low on memory"), .unblocked, .blocked("low on disk"), .unblocked,
            ]
            #expect(told.dropFirst() == alarms + [.closed(nil)])
            #expect(try await all(later).dropFirst() == alarms.suffix(2) + [.closed(nil)])
            #expect(try await all(last).dropFirst() == [.closed(nil)])
        }
    }

    @Test func aConsumerThatIsLostAndBackIsTold() async throws {
        let asked = Tally()
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve { frame in
                guard frame.number == [60, 20] else { return false }
                switch asked.add() {
                case 1:
                    try peer.send(Wire.consumeOk(frame.channel, tag: frame.consumerTag))
                    try peer.send(Wire.method(60, 30, channel: frame.channel, WireBytes().short("t").u8(1)))
                case 2: try peer.send(Wire.channelClose(frame.channel, 541, "INTERNAL_ERROR"))
                case 3: return false
                default: try peer.send(Wire.channelClose(frame.channel, 403, "ACCESS_REFUSED - no right to read"))
                }
                return true
            }
        }) { broker in
            let connection = try await AMQPConnection.connect(broker.configuration)
            let events = connection.events
            let consumer = Task { for try await _ in connection.deliveries(from: "q") {} }
            try await connection.status("one consumer") { $0.registeredConsumers == 1 && asked.value == 3 }
            let error = try await failure("a consumer that may not read") {
                for try await _ in connection.deliveries(from: "r") {}
            }
            #expect(error.code == .accessRefused)
            await connection.close()
            _ = await consumer.result
            let told = try await all(events)
            try #require(told.count == 5, "\(told)")
            guard case .consumerLost("q", let loss) = told[1], case .consumerEnded("r", let end) = told[3] else {
                Issue.record("\(told)")
                return
            }
            #expect(loss.code == .notFound || loss.code == .closedByBroker)
            #expect(told[2] == .consumerBack(queue: "q") && end == error)
        }
    }

    /// By default a queue that is refused is told with its name and the broker's words, for as long as it is, and costs nothing
    /// else.
    @Test(
        arguments: [
            (403, "ACCESS_REFUSED - configure access to queue 'q' in vhost '/' refused for user 'u'", .accessRefused),
            (404, "NOT_FOUND - queue 'q' in vhost '/' process is stopped by supervisor", .notFound),
            (405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q'", .resourceLocked),
            (406, "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/'", .preconditionFailed),
        ] as [(UInt16, String, AMQPError.Code)])
    func aQueueThatIsRefusedIsSkippedAndTheRestGoesOn(code: UInt16, text: String, expected: AMQPError.Code) async throws
    {
        let (refused, isAllowed) = (Tally(), Tally())
        try await withFakeBroker({ peer, number in
            try peer.login()
            try peer.serve { frame in
                if number == 1, frame.queue == "leave" { throw FakePeer.Gone() }
                guard number > 1, frame.number == [50, 10], frame.queue == "q", isAllowed.value == 0 else {
                    return false
                }
                refused.add()
                try peer.send(Wire.channelClose(frame.channel, code, text))
                return true
            }
        }) { broker in
            var configuration = broker.configuration
            configuration.refusalPatience = .milliseconds(50)
            try await within(.seconds(20), "a connection beside a queue that is refused") { [configuration] in
                let topology = Topology {
                    Exchange("x", .fanout)
                    Queue("q").bound(to: "x")
                    Queue("r").bound(to: "x")
                }
                let connection = try await AMQPConnection.connect(configuration, topology: topology)
                var events = connection.events.makeAsyncIterator()
                _ = try? await connection.inspect(queue: "leave")
                try await connection.status("recovered") { $0.recoveries == 1 && $0.isReady }
                // Far longer than the patience.
                try await eventually("the queue is asked for again") { refused.value > 20 }
                let reader = Task { for try await _ in connection.deliveries(from: "r") {} }
                try await connection.publisher().publish(Message(text: "m"), to: "x")
                try await connection.status("the other queue is read") { $0.registeredConsumers == 1 }
                isAllowed.add()
                try await connection.status("all is there") { $0.undeclared == 0 && $0.isReady }
                #expect(connection.status.recoveries == 1)
                await connection.close()
                _ = await reader.result
                var told: [ConnectionEvent] = []
                while let event = await events.next() { told.append(event) }
                let recovery = try #require(
                    told.firstIndex { if case .recovered = $0 { true } else { false } })
                guard case .recovered(attempts: 1, let skipped) = told[recovery] else { return }
                #expect(skipped.map(\.resource) == [.queue("q")])
                #expect(skipped.first?.reason.code == expected && skipped.first?.reason.replyCode == code)
                #expect(skipped.first?.reason.replyText == text)
                #expect(told[(recovery + 1)...] == [.restored(.queue("q")), .closed(nil)])
            }
        }
    }

    /// Nobody has to read, and who reads slowly keeps the newest.
    @Test func eventsThatNobodyReadsAreBounded() async throws {
        let board = EventBoard()
        let (first, second) = (board.events(), board.events())
        for number in 1...1_000 as ClosedRange<UInt64> { board.tell(.attempt(number, after: .zero)) }
        board.tell(.closed(nil))
        let (told, others) = (try await all(first), try await all(second))
        #expect(told.count == 256 && told == others)
        #expect(told.suffix(2) == [.attempt(1_000, after: .zero), .closed(nil)])
    }
}
