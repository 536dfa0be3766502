import Glibc
import Testbed
import Testing

@testable import ActorBus

/// A server that breaks the handshake, at every point of it: always an error, soon.
@Suite(.logsOnFailure, .timeLimit(.minutes(5))) struct HandshakeTests {
    private func failureOfConnect(
        within limit: Duration = .seconds(10), _ script: @escaping FakeBroker.Script,
        changing change: (inout ConnectionConfiguration) -> Void = { _ in }
    ) async throws -> AMQPError {
        try await withFakeBroker(script) { broker in
            var configuration = broker.configuration
            change(&configuration)
            return try await failure(within: limit, "connecting") { [configuration] in
                await (try AMQPConnection.connect(configuration)).close()
            }
        }
    }

    @Test func aServerThatPlaysByTheRulesIsGood() async throws {
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve()
        }) { broker in
            try await within(.seconds(10), "a connection and its end") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                #expect(connection.status.isReady)
                await connection.close()
                #expect(connection.status.state == .closed)
            }
        }
    }

    @Test func bytesThatComeOneByOneAreGood() async throws {
        try await withFakeBroker({ peer, _ in
            try peer.readProtocolHeader()
            try peer.sendOneByOne(Wire.start(properties: EncodedTableTests.everyKind))
            try peer.wait(for: [10, 11])
            try peer.sendOneByOne(Wire.frame(8, []) + Wire.tune())
            try peer.wait(for: [10, 40])
            try peer.sendOneByOne(Wire.openOk())
            try peer.serve()
        }) { broker in
            try await within(.seconds(20), "a connection and its end") {
                await (try AMQPConnection.connect(broker.configuration)).close()
            }
        }
    }

    @Test(
        arguments: [
            Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28, 0, 0, 0],
            Array("AMQP".utf8) + [0, 1, 0, 0], Array("220 smtp ESMTP ready\r\n".utf8),
            Array("SSH-2.0-OpenSSH_9.2\r\n".utf8),
            [UInt8](repeating: 0, count: 100), [UInt8](repeating: 0xFF, count: 100),
            [1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0], [1, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 0], Wire.frame(1, [0, 1]),
            Wire.frame(1, []),
            Array(Wire.start().dropLast()) + [0xCD], Wire.method(99, 99), Wire.method(10, 99), Wire.method(60, 60),
            Wire.tune(), Wire.openOk(),
            Wire.frame(2, []), Wire.frame(3, [1]), Wire.frame(1, channel: 5, [0, 10, 0, 10]), Wire.ack(1, 1),
            Wire.method(10, 51),
            Wire.start(properties: [0, 0, 0xFF, 0xFF]), Wire.start(properties: Wire.nestedTable(depth: 20_000)),
            Wire.start() + Wire.start(),
        ] as [[UInt8]])
    func whatIsNoHandshakeIsAnError(bytes: [UInt8]) async throws {
        let error = try await failureOfConnect { peer, _ in
            try peer.readProtocolHeader()
            try peer.send(bytes)
            peer.waitForEnd()
        }
        #expect(error.code == .brokerUnreachable)
        #expect(error.message.contains("127.0.0.1"))
    }

    @Test func randomBytesAreAnError() async throws {
        for seed in 0..<20 as Range<UInt64> {
            let error = try await failureOfConnect { peer, _ in
                var random = SeededGenerator(seed: seed)
                // Not a valid type of frame, or one that ends before it begins.
                try peer.send(
                    [.random(in: 9...255, using: &random)] + (0..<999).map { _ in .random(in: 0...255, using: &random) }
                )
                peer.waitForEnd()
            }
            #expect(error.code == .brokerUnreachable)
        }
    }

    @Test(arguments: 0...3)
    func silenceAtEveryStepEndsAtTheTimeOut(step: Int) async throws {
        let clock = ContinuousClock()
        let begin = clock.now
        let error = try await failureOfConnect({ peer, _ in
            if step > 0 {
                try peer.readProtocolHeader()
                try peer.send(Wire.start())
            }
            if step > 1 {
                try peer.wait(for: [10, 11])
                try peer.send(Wire.tune())
            }
            if step > 2 { try peer.send(Wire.frame(8, [])) }
            peer.waitForEnd()
        }) { $0.connectTimeout = .milliseconds(400) }
        #expect(error.code == .brokerUnreachable)
        #expect(clock.now - begin >= .milliseconds(400))
    }

    /// The time-out is one for the whole login, so a peer that drips does not stretch it.
    @Test func heartbeatsDoNotStretchTheTimeOut() async throws {
        let begin = ContinuousClock.now
        _ = try await failureOfConnect({ peer, _ in
            while true {
                try peer.send(Wire.frame(8, []))
                usleep(20_000)
            }
        }) { $0.connectTimeout = .milliseconds(500) }
        #expect(ContinuousClock.now - begin < .seconds(20))
    }

    /// The server goes away behind every single byte of the handshake.
    @Test func anEndBehindEveryByteIsAnError() async throws {
        let whole = Wire.start() + Wire.tune() + Wire.openOk()
        let borders = [Wire.start().count, Wire.start().count + Wire.tune().count]
        let next = Tally()
        try await withFakeBroker({ peer, number in
            let length = number - 1
            try peer.readProtocolHeader()
            for position in 0..<min(length, whole.count - 1) {
                if position == borders[0] { try peer.wait(for: [10, 11]) }
                if position == borders[1] { try peer.wait(for: [10, 40]) }
                try peer.send([whole[position]])
            }
        }) { broker in
            for length in 0..<whole.count {
                let error = try await failure("a connection cut off behind \(length) bytes") {
                    _ = try await AMQPConnection.connect(broker.configuration)
                }
                #expect(error.code == .brokerUnreachable)
                next.add()
            }
            #expect(broker.accepted == next.value)
        }
    }

    @Test(arguments: 0...2, [320, 403, 530, 541] as [UInt16])
    func aCloseAtEveryStepIsTold(step: Int, code: UInt16) async throws {
        let error = try await failureOfConnect { peer, _ in
            try peer.readProtocolHeader()
            if step > 0 {
                try peer.send(Wire.start())
                try peer.wait(for: [10, 11])
            }
            if step > 1 {
                try peer.send(Wire.tune())
                try peer.wait(for: [10, 40])
            }
            try peer.send(Wire.connectionClose(code, "REASON - of the test"))
            peer.waitForEnd()
        }
        let expected: AMQPError.Code =
            switch (step, code) {
            case (1, 403): .loginRefused
            case (2, 403), (2, 530): .virtualHostRefused
            case (_, 403): .accessRefused
            default: .brokerUnreachable
            }
        #expect(error.code == expected, "\(error)")
        #expect(error.replyCode == code && error.cause == (expected == .brokerUnreachable ? .closedByBroker : nil))
        #expect(error.description.contains("REASON - of the test"))
        #expect(!error.description.contains("guest:guest"))
    }

    @Test func aServerWithoutPlainIsRefusedAtOnce() async throws {
        let error = try await failureOfConnect { peer, _ in
            try peer.readProtocolHeader()
            try peer.send(Wire.start(mechanisms: "EXTERNAL PLAINISH"))
            peer.waitForEnd()
        }
        #expect(error.code == .loginRefused)
    }

    @Test(
        arguments: [
            (2047, 0, 60), (0, 131_072, 0), (0, 0, 0), (1, 4_096, 1), (.max, .max, .max), (2047, 1 << 31, 30),
        ] as [(UInt16, UInt32, UInt16)])
    func everyLawfulTuneIsAgreedTo(channelMax: UInt16, frameMax: UInt32, heartbeat: UInt16) async throws {
        let agreed = Lock<[UInt8]>([])
        try await withFakeBroker({ peer, _ in
            try peer.readProtocolHeader()
            try peer.send(Wire.start())
            try peer.wait(for: [10, 11])
            try peer.send(Wire.tune(channelMax: channelMax, frameMax: frameMax, heartbeat: heartbeat))
            let tuneOk = try peer.wait(for: [10, 31])
            agreed.withLock { $0 = tuneOk.payload }
            try peer.wait(for: [10, 40])
            try peer.send(Wire.openOk())
            try peer.serve()
        }) { broker in
            var configuration = broker.configuration
            configuration.heartbeat = .seconds(20)
            try await within(.seconds(10), "a connection with a channel") { [configuration] in
                let connection = try await AMQPConnection.connect(configuration, topology: Topology { Queue("q") })
                await connection.close()
            }
        }
        let payload = agreed.withLock { $0 }
        try #require(payload.count == 12)
        func number(_ range: Range<Int>) -> UInt64 { payload[range].reduce(0) { $0 << 8 | UInt64($1) } }
        #expect(number(4..<6) == (channelMax == 0 ? 2047 : UInt64(min(2047, channelMax))))
        #expect(number(6..<10) == (frameMax == 0 ? 131_072 : UInt64(min(131_072, frameMax))))
        #expect(number(10..<12) == (heartbeat == 0 ? 20 : UInt64(min(20, heartbeat))))
    }

    @Test(arguments: [1, 1_000, 4_095] as [UInt32])
    func aFrameSizeBelowTheLeastIsAnError(frameMax: UInt32) async throws {
        let error = try await failureOfConnect { peer, _ in try peer.login(frameMax: frameMax) }
        #expect(error.code == .brokerUnreachable)
    }

    @Test func aSecondAddressIsTriedWhenTheFirstIsDead() async throws {
        let dead = try LoopbackSocket.deadPort.get()
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve()
        }) { broker in
            var configuration = broker.configuration
            configuration.endpoints.insert(.init(host: "127.0.0.1", port: dead), at: 0)
            try await within(.seconds(10), "a connection") { [configuration] in
                await (try AMQPConnection.connect(configuration)).close()
            }
        }
    }

    @Test func everyAttemptIsMadeAndThePauseKept() async throws {
        let dead = try LoopbackSocket.deadPort.get()
        var configuration = ConnectionConfiguration(endpoints: [.init(host: "127.0.0.1", port: dead)])
        configuration.connectAttempts = 4
        configuration.connectDelay = .milliseconds(100)
        let begin = ContinuousClock.now
        let error = try await failure("connecting to nobody") { [configuration] in
            _ = try await AMQPConnection.connect(configuration)
        }
        #expect(error.code == .brokerUnreachable)
        #expect(error.message.contains("4 attempts") && error.message.contains("127.0.0.1:\(dead)"))
        #expect(ContinuousClock.now - begin >= .milliseconds(300))
    }

    @Test func aNameThatDoesNotResolveIsAnError() async throws {
        var configuration = ConnectionConfiguration(endpoints: [.init(host: "no such host", port: 1)])
        configuration.connectAttempts = 1
        let error = try await failure("connecting to no host") { [configuration] in
            _ = try await AMQPConnection.connect(configuration)
        }
        #expect(error.code == .brokerUnreachable)
        #expect(error.message.contains("no such host"))
    }

    /// The cancellation may be dealt with before the first attempt has begun.
    @Test func connectingInACancelledTaskEndsAtOnce() async throws {
        let port = try LoopbackSocket.deadPort.get()
        let configuration = ConnectionConfiguration(endpoints: [.init(host: "127.0.0.1", port: port)])
        try await within(.seconds(60), "cancelled connects") {
            for _ in 0..<50 {
                let connecting = Task {
                    unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
                    _ = try await AMQPConnection.connect(configuration)
                }
                await #expect(throws: CancellationError.self) { try await connecting.value }
            }
        }
    }

    @Test func connectingCanBeCancelled() async throws {
        let isAsked = Gate()
        try await withFakeBroker({ peer, _ in
            try peer.readProtocolHeader()
            isAsked.open()
            peer.waitForEnd()
        }) { broker in
            var configuration = broker.configuration
            configuration.connectTimeout = .seconds(60)
            configuration.connectAttempts = 10
            let connecting = Task { [configuration] in try await AMQPConnection.connect(configuration) }
            try await within(.seconds(10), "the client's first bytes") { await isAsked.pass() }
            connecting.cancel()
            let result = try await within(.seconds(5), "the end of connecting") { await connecting.result }
            #expect(throws: CancellationError.self) { try result.get() }
            #expect(broker.accepted == 1)
        }
    }
}
