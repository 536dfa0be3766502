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

    /// Whatever the words, a queue of the topology that cannot be consumed for now is asked for again, over the same
    /// connection.
    @Test(
        arguments: [
            (404, "NOT_FOUND - home node 'a@b' of durable queue 'q' in vhost '/' is down or inaccessible"),
            (404, "NOT_FOUND - queue 'q' in vhost '/' process is stopped by supervisor"),
            (404, "NOT_FOUND - no queue 'q' in vhost '/'"),
            (403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"),
            (405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q'"),
            (406, "PRECONDITION_FAILED - something new"), (541, "INTERNAL_ERROR"), (599, "NEVER_HEARD_OF"),
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
                let connection = try await AMQPConnection.connect(
                    broker.configuration, topology: Topology { Queue("q") })
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
                case (2, "q"): throw FakePeer.Gone()
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

    /// A topology that differs, or a right that is missing, ends the connection when it has lasted, and everybody who waits
    /// is told which it was.
    @Test(
        arguments: [
            (406, "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/'", .preconditionFailed),
            (403, "ACCESS_REFUSED - configure access to queue 'q' in vhost '/' refused for user 'u'", .accessRefused),
        ] as [(UInt16, String, AMQPError.Code)])
    func whatIsRefusedForGoodClosesTheConnection(code: UInt16, text: String, cause: AMQPError.Code) async throws {
        let refused = Tally()
        try await withFakeBroker({ peer, number in
            try peer.login()
            try peer.serve { frame in
                if frame.number == [60, 40] { return true }
                if number == 1, frame.queue == "leave" { throw FakePeer.Gone() }
                guard number > 1, frame.number == [50, 10] else { return false }
                refused.add()
                try peer.send(Wire.channelClose(frame.channel, code, text))
                return true
            }
        }) { broker in
            var configuration = broker.configuration
            configuration.refusalPatience = .seconds(2)
            configuration.refusedTopology = .endConnection
            try await within(.seconds(15), "the end of the connection") { [configuration] in
                let connection = try await AMQPConnection.connect(configuration, topology: Topology { Queue("q") })
                let consumer = Task { for try await _ in connection.deliveries(from: "q") {} }
                let publisher = try await connection.publisher()
                let written = Task { try await publisher.publish(Message(text: "m"), to: "x") }
                _ = try? await connection.inspect(queue: "leave")
                // One part that is refused does not keep the connection from working meanwhile.
                try await connection.status("open again") {
                    $0.recoveries == 1 && $0.isReady && $0.undeclared == 1 && $0.registeredConsumers == 1
                }
                let events = connection.events
                let status = try await connection.status("closed") { $0.state == .closed }
                #expect(status.problem?.contains(text) == true)
                var last: ConnectionEvent?
                for await event in events { last = event }
                guard case .closed(let end?) = last else {
                    Issue.record("\(String(describing: last))")
                    return
                }
                #expect(end.code == cause && end.replyText == text)
                #expect(refused.value > 2)
                let publish = await #expect(throws: AMQPError.self) { try await written.value }
                #expect(publish?.code == .maybePublished && publish?.cause == cause && publish?.replyCode == code)
                let late = await #expect(throws: AMQPError.self) {
                    try await publisher.publish(Message(text: "m"), to: "x")
                }
                #expect(late?.code == .connectionClosed && late?.cause == cause && late?.replyCode == code)
                let reading = await #expect(throws: AMQPError.self) { try await consumer.value }
                #expect(reading?.code == cause)
                let calling = await #expect(throws: AMQPError.self) { _ = try await connection.publisher() }
                #expect(calling?.code == cause)
            }
        }
    }

    /// Nothing else ends a connection that was open once, whatever the broker calls it, nor holds it up.
    @Test(
        arguments: [
            (404, "NOT_FOUND - queue 'q' in vhost '/' process is stopped by supervisor"),
            (404, "NOT_FOUND - no queue 'q' in vhost '/'"), (404, "NOT_FOUND - words of a later version"),
            (405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q'"),
            (406, "PRECONDITION_FAILED - low on disk space"), (403, "ACCESS_REFUSED - queue 'q' in exclusive use"),
            (541, "INTERNAL_ERROR"), (530, "NOT_ALLOWED"), (599, "NEVER_HEARD_OF"),
        ] as [(UInt16, String)])
    func aRefusedQueueHoldsUpNothingAndComesBack(code: UInt16, text: String) async throws {
        let refused = Tally()
        try await withFakeBroker({ peer, number in
            try peer.login()
            try peer.serve { frame in
                if number == 1, frame.queue == "leave" { throw FakePeer.Gone() }
                guard number > 1, frame.queue == "q", refused.add() < 20 else { return false }
                try peer.send(Wire.channelClose(frame.channel, code, text))
                return true
            }
        }) { broker in
            var configuration = broker.configuration
            // Far less than the queue is refused for.
            configuration.refusalPatience = .milliseconds(1)
            try await within(.seconds(15), "a recovery beside a queue that is refused") { [configuration] in
                let topology = Topology {
                    Exchange("x", .fanout)
                    Queue("q").bound(to: "x")
                    Queue("r").bound(to: "x")
                }
                let connection = try await AMQPConnection.connect(configuration, topology: topology)
                let publisher = try await connection.publisher()
                let readers = ["q", "r"].map { queue in
                    Task { for try await _ in connection.deliveries(from: queue) {} }
                }
                try await connection.status("two consumers") { $0.registeredConsumers == 2 }
                _ = try? await connection.inspect(queue: "leave")
                try await connection.status("open without the queue") {
                    $0.recoveries == 1 && $0.state == .open && $0.undeclared == 1 && $0.registeredConsumers == 1
                }
                try await publisher.publish(Message(text: "m"), to: "x")
                try await connection.status("all is there") {
                    $0.isReady && $0.undeclared == 0 && $0.registeredConsumers == 2
                }
                #expect(connection.status.recoveries == 1)
                await connection.close()
                for reader in readers { _ = await reader.result }
            }
        }
    }

    /// A queue whose node has just died can leave its declare, and its consume, without an answer for a minute.
    @Test func aQueueThatDoesNotAnswerHoldsUpNothing() async throws {
        try await withFakeBroker({ peer, number in
            try peer.login()
            // By channel: the reply that it is owed, and whether the client has given it up.
            var unanswered: [UInt16: (reply: [UInt8], isGivenUp: Bool)] = [:]
            try peer.serve { frame in
                let channel = frame.channel
                switch (number, frame.queue, frame.number) {
                case (1, "leave", _): throw FakePeer.Gone()
                case (2, "q", [50, 10]):
                    let reply = Wire.method(50, 11, channel: channel, WireBytes().short("q").u32(0).u32(0))
                    unanswered[channel] = (reply, false)
                    return true
                case (2, "q", _):
                    unanswered[channel] = (Wire.consumeOk(channel, tag: "t"), false)
                    return true
                case (2, _, [20, 40]):
                    unanswered[channel]?.isGivenUp = true
                    return unanswered[channel] != nil
                case (2, "answer", _):
                    for (channel, owed) in unanswered {
                        try peer.send(owed.reply + (owed.isGivenUp ? Wire.method(20, 41, channel: channel) : []))
                    }
                    unanswered = [:]
                    return false
                default: return false
                }
            }
        }) { broker in
            var configuration = broker.configuration
            configuration.recoveryPatience = .milliseconds(100)
            try await within(.seconds(20), "a recovery beside a queue that does not answer") { [configuration] in
                let topology = Topology {
                    Queue("q")
                    Queue("r")
                }
                let connection = try await AMQPConnection.connect(configuration, topology: topology)
                let readers = ["q", "r"].map { queue in
                    Task { for try await _ in connection.deliveries(from: queue) {} }
                }
                try await connection.status("two consumers") { $0.registeredConsumers == 2 }
                let begin = ContinuousClock.now
                _ = try? await connection.inspect(queue: "leave")
                try await connection.status("open without the queue") {
                    $0.recoveries == 1 && $0.state == .open && $0.undeclared == 1 && $0.registeredConsumers == 1
                }
                #expect(ContinuousClock.now - begin < configuration.replyTimeout)
                _ = try await connection.inspect(queue: "answer")
                #expect(connection.status.recoveries == 1, "the connection is well")
                await connection.close()
                for reader in readers { _ = await reader.result }
            }
        }
    }

    /// Every host is asked in every attempt, whatever the first says, and at the start the most telling refusal is told.
    @Test func aHostThatRefusesTheLoginDoesNotHideTheNext() async throws {
        let refusing: FakeBroker.Script = { peer, _ in
            try peer.readProtocolHeader()
            try peer.send(Wire.start())
            try peer.wait(for: [10, 11])
            try peer.send(Wire.connectionClose(403, "ACCESS_REFUSED - Login was refused"))
            peer.waitForEnd()
        }
        try await withFakeBroker(refusing) { bad in
            try await withFakeBroker({ peer, number in
                try peer.login()
                try peer.serve { frame in
                    if number == 1, frame.queue == "leave" { throw FakePeer.Gone() }
                    return false
                }
            }) { good in
                var configuration = bad.configuration
                configuration.endpoints += good.configuration.endpoints
                try await within(.seconds(15), "a connection and a recovery") { [configuration] in
                    let connection = try await AMQPConnection.connect(configuration)
                    _ = try? await connection.inspect(queue: "leave")
                    try await connection.status("recovered") { $0.recoveries == 1 && $0.isReady }
                    await connection.close()
                }
                #expect(bad.accepted >= 1 && good.accepted == 2)
            }
            var alone = bad.configuration
            alone.connectAttempts = 5
            alone.endpoints.append(.init(host: "127.0.0.1", port: try LoopbackSocket.deadPort.get()))
            let before = bad.accepted
            let error = try await failure("a login that is refused") { [alone] in
                _ = try await AMQPConnection.connect(alone)
            }
            #expect(error.code == .loginRefused && error.replyCode == 403)
            #expect(bad.accepted == before + 1, "at once")
        }
    }

    /// A limit of connections passes; it is waited for, and called what it is.
    @Test func aLimitOfConnectionsIsWaitedFor() async throws {
        let text = "NOT_ALLOWED - access to vhost '/' refused for user 'guest': connection limit (1) is reached"
        let script: @Sendable (Int) -> FakeBroker.Script = { most in
            { peer, number in
                guard number <= most else {
                    try peer.login()
                    return try peer.serve()
                }
                try peer.readProtocolHeader()
                try peer.send(Wire.start())
                try peer.wait(for: [10, 11])
                try peer.send(Wire.tune(heartbeat: 0))
                try peer.wait(for: [10, 40])
                try peer.send(Wire.connectionClose(530, text))
                peer.waitForEnd()
            }
        }
        try await withFakeBroker(script(2)) { broker in
            var configuration = broker.configuration
            configuration.connectAttempts = 3
            try await within(.seconds(15), "the third attempt") { [configuration] in
                await (try AMQPConnection.connect(configuration)).close()
            }
        }
        try await withFakeBroker(script(.max)) { broker in
            var configuration = broker.configuration
            configuration.connectAttempts = 3
            let error = try await failure("three attempts") { [configuration] in
                _ = try await AMQPConnection.connect(configuration)
            }
            #expect(error.code == .brokerUnreachable && error.cause == .connectionLimitReached && broker.accepted == 3)
            #expect(error.description.contains(text) && error.description.contains("raise the limit"))
        }
    }

    /// A broker that ends every connection as soon as it is ready is not asked all the time.
    @Test func connectionsThatDoNotLastAreAskedForLessAndLessOften() async throws {
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve { frame in
                if frame.number == [85, 10] { throw FakePeer.Gone() }
                return false
            }
        }) { broker in
            var configuration = broker.configuration
            configuration.recoveryDelay = .milliseconds(50)...(.seconds(60))
            try await within(.seconds(20), "the pauses") { [configuration] in
                let connection = try await AMQPConnection.connect(configuration)
                _ = try? await connection.publisher()
                try await Task.sleep(for: .seconds(3))
                // Without longer pauses there are more than a hundred; with them, 6 on average.
                #expect((2...25).contains(broker.accepted), "\(broker.accepted) connections in three seconds")
                await connection.close()
            }
        }
    }

    /// The password is asked for at each connect; where it cannot be had, the last one is good enough to try.
    @Test func thePasswordIsAskedForAtEachConnect() async throws {
        struct NoFile: Error {}
        let passwords = Lock<[String]>([])
        let asked = Tally()
        try await withFakeBroker({ peer, number in
            try peer.readProtocolHeader()
            try peer.send(Wire.start())
            let login = try peer.wait(for: [10, 11])
            // PLAIN is NUL, user, NUL, password; behind it comes the locale.
            let text = String(decoding: login.payload.map { $0 == 0 ? UInt8(ascii: "|") : $0 }, as: UTF8.self)
            passwords.withLock { $0.append(["one", "two"].first { text.contains("|guest|\($0)") } ?? "?") }
            try peer.send(Wire.tune(heartbeat: 0))
            try peer.wait(for: [10, 40])
            try peer.send(Wire.openOk())
            try peer.serve { frame in
                if frame.queue == "leave" { throw FakePeer.Gone() }
                return false
            }
        }) { broker in
            var configuration = broker.configuration
            configuration.password = "never sent"
            configuration.passwordSource = {
                switch asked.add() {
                case 1: "one"
                case 3: throw NoFile()
                default: "two"
                }
            }
            try await within(.seconds(15), "three recoveries") { [configuration] in
                let connection = try await AMQPConnection.connect(configuration)
                for recovery in 1...3 as ClosedRange<UInt64> {
                    _ = try? await connection.inspect(queue: "leave")
                    try await connection.status("recovered") { $0.recoveries == recovery && $0.isReady }
                }
                await connection.close()
            }
        }
        #expect(passwords.withLock { $0 } == ["one", "two", "two", "two"])
    }

    /// A password source that does not answer is as an attempt that finds no broker, at the first connection and later.
    @Test func aPasswordThatDoesNotComeIsAskedForAgain() async throws {
        let asked = Tally()
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve { frame in
                if frame.queue == "leave" { throw FakePeer.Gone() }
                return false
            }
        }) { broker in
            var configuration = broker.configuration
            configuration.connectTimeout = .milliseconds(1_500)
            configuration.passwordSource = {
                // Not even a cancellation ends some waits.
                if asked.add() % 2 == 1 { await withCheckedContinuation { Self.unanswered.append($0) } }
                return "guest"
            }
            try await within(.seconds(40), "one attempt, and two more connections") { [configuration] in
                let error = await #expect(throws: AMQPError.self) { try await AMQPConnection.connect(configuration) }
                #expect(error?.code == .brokerUnreachable && error?.message.contains("password") == true)
                #expect(broker.accepted == 0)
                let connection = try await AMQPConnection.connect(configuration)
                _ = try? await connection.inspect(queue: "leave")
                try await connection.status("recovered") { $0.recoveries == 1 && $0.isReady }
                #expect(asked.value == 4)
                await connection.close()
            }
        }
        Self.unanswered.resumeAll()
    }

    /// Continuations that a test leaves unanswered until its end.
    private final class Unanswered: Sendable {
        private let continuations = Lock<[CheckedContinuation<Void, Never>]>([])

        func append(_ continuation: CheckedContinuation<Void, Never>) {
            continuations.withLock { $0.append(continuation) }
        }

        func resumeAll() {
            for continuation in continuations.withLock({ $0 }) { continuation.resume() }
        }
    }

    private static let unanswered = Unanswered()

    /// The channel over which a topology is declared again need not be closed for the connection to be well.
    @Test func aCloseThatIsNotAnsweredDoesNotFailARecovery() async throws {
        try await withFakeBroker({ peer, number in
            try peer.login()
            try peer.serve { frame in
                if frame.queue == "leave" { throw FakePeer.Gone() }
                return number > 1 && frame.number == [20, 40]
            }
        }) { broker in
            var configuration = broker.configuration
            configuration.recoveryPatience = .milliseconds(300)
            try await within(.seconds(15), "a recovery") { [configuration] in
                let connection = try await AMQPConnection.connect(configuration, topology: Topology { Queue("q") })
                _ = try? await connection.inspect(queue: "leave")
                try await connection.status("recovered") { $0.recoveries == 1 && $0.isReady }
                #expect(broker.accepted == 2 && connection.status.undeclared == 0)
                await connection.close()
            }
        }
    }

    /// A publisher that gets no channel is told by the status until it has one.
    @Test func aPublisherWithoutAChannelIsNotReady() async throws {
        let (opened, mayOpen) = (Tally(), Tally())
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve { frame in
                switch frame.number {
                case [60, 40]:
                    try peer.send(Wire.channelClose(frame.channel, 404, "NOT_FOUND - no exchange 'x' in vhost '/'"))
                case [85, 10] where opened.add() > 1 && mayOpen.value == 0:
                    try peer.send(Wire.channelClose(frame.channel, 541, "INTERNAL_ERROR"))
                default: return false
                }
                return true
            }
        }) { broker in
            try await within(.seconds(15), "a publisher that comes back") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let publisher = try await connection.publisher()
                let error = await #expect(throws: AMQPError.self) {
                    try await publisher.publish(Message(text: "m"), to: "x")
                }
                #expect(error?.code == .notFound)
                try await connection.status("not ready") { $0.unattachedPublishers == 1 && !$0.isReady }
                mayOpen.add()
                try await connection.status("ready") { $0.unattachedPublishers == 0 && $0.isReady }
                #expect(connection.status.recoveries == 0)
                withExtendedLifetime(publisher) {}
                await connection.close()
            }
        }
    }

    /// Nor does it hold up a recovery: the rest of the connection is back without it.
    @Test func aPublisherThatGetsNoChannelDoesNotFailARecovery() async throws {
        let opened = Tally()
        try await withFakeBroker({ peer, number in
            try peer.login()
            try peer.serve { frame in
                if frame.queue == "leave" { throw FakePeer.Gone() }
                guard number > 1, frame.number == [85, 10], opened.add() <= 3 else { return false }
                try peer.send(Wire.channelClose(frame.channel, 541, "INTERNAL_ERROR"))
                return true
            }
        }) { broker in
            try await within(.seconds(15), "a publish after the recovery") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let publisher = try await connection.publisher()
                _ = try? await connection.inspect(queue: "leave")
                try await publisher.publish(Message(text: "m"), to: "x")
                #expect(opened.value == 4 && broker.accepted == 2)
                #expect(connection.status.recoveries == 1 && connection.status.isReady)
                await connection.close()
            }
        }
    }

    /// Two consumers of which the broker cancels each when it is asked for the other: neither is asked for all the time, and the
    /// connection is open without them.
    @Test func consumersThatAreCancelledDuringARecoveryDoNotKeepItFromItsEnd() async throws {
        let asked = Tally()
        try await withFakeBroker({ peer, number in
            try peer.login()
            var channels: [String: UInt16] = [:]
            try peer.serve { frame in
                if frame.queue == "leave" { throw FakePeer.Gone() }
                guard number > 1, frame.number == [60, 20] else { return false }
                asked.add()
                channels[frame.queue] = frame.channel
                if let other = channels[frame.queue == "a" ? "b" : "a"] {
                    try peer.send(Wire.method(60, 30, channel: other, WireBytes().short("t").u8(1)))
                }
                return false
            }
        }) { broker in
            var configuration = broker.configuration
            configuration.recoveryDelay = .milliseconds(50)...(.seconds(60))
            try await within(.seconds(20), "an open connection") { [configuration] in
                let connection = try await AMQPConnection.connect(configuration)
                let readers = ["a", "b"].map { queue in
                    Task { for try await _ in connection.deliveries(from: queue) {} }
                }
                try await connection.status("two consumers") { $0.registeredConsumers == 2 }
                _ = try? await connection.inspect(queue: "leave")
                try await connection.status("open") { $0.recoveries == 1 && $0.state == .open }
                try await Task.sleep(for: .seconds(1))
                #expect((2...25).contains(asked.value), "\(asked.value) registrations in a second")
                await connection.close()
                for reader in readers { _ = await reader.result }
            }
        }
    }

    /// One durable queue more at every recovery is what a queue without a name would be.
    @Test func aQueueWithoutANameIsRefused() async throws {
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve()
        }) { broker in
            let error = try await failure("a queue without a name") {
                _ = try await AMQPConnection.connect(broker.configuration, topology: Topology { Queue("") })
            }
            #expect(error.code == .invalidConfiguration && broker.accepted == 0)
            let connection = try await AMQPConnection.connect(broker.configuration)
            let more = await #expect(throws: AMQPError.self) {
                try await connection.declare(Topology { Queue("", exclusive: true) })
            }
            #expect(more?.code == .invalidConfiguration)
            await connection.close()
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
