import Glibc
import Testing

@testable import ActorBus

@Suite struct LoginTests {
    @Test func whatDoesNotFitIntoAFrameIsSaidBeforehand() throws {
        var configuration = ConnectionConfiguration(user: "shop")
        configuration.name = "checkout"
        // The longest password that fits, found from outside.
        let longest = (0..<4096).last { length in
            configuration.password = String(repeating: "s", count: length)
            return (try? configuration.checkLogin()) != nil
        }
        let length = try #require(longest)
        #expect((3_500...4_000).contains(length))
        configuration.password = String(repeating: "s", count: length + 1)
        let error = #expect(throws: AMQPError.self) { try configuration.checkLogin() }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.description.contains("password (\(length + 1) bytes)") == true)
        #expect(error?.description.contains("sss") == false)
    }

    @Test func aLoginHasNoNUL() {
        for (user, password) in [("a\0b", "p"), ("u", "p\0q")] {
            let error = #expect(throws: AMQPError.self) {
                try ConnectionConfiguration(user: user, password: password).checkLogin()
            }
            #expect(error?.code == .invalidConfiguration)
        }
    }

    @Test func connectingSaysItBeforeAnythingIsSent() async throws {
        try await withFakeBroker({ peer, _ in try peer.login() }) { broker in
            var configuration = broker.configuration
            configuration.password = String(repeating: "s", count: 5_000)
            let error = try await failure("a password that is too long") { [configuration] in
                _ = try await AMQPConnection.connect(configuration)
            }
            #expect(error.code == .invalidConfiguration && broker.accepted == 0)
        }
    }
}

@Suite struct LivenessTests {
    private func liveness(heartbeat: Duration, blocked: Duration = .seconds(300)) -> Liveness {
        var configuration = ConnectionConfiguration()
        configuration.heartbeat = heartbeat
        configuration.blockedTimeout = blocked
        return Liveness(configuration)
    }

    @Test func followsTheHeartbeat() {
        for (heartbeat, idle, interval) in [(30, 30, 10), (600, 60, 20), (0, 60, 20), (1, 1, 1), (2, 2, 1)] {
            let liveness = liveness(heartbeat: .seconds(heartbeat))
            #expect(liveness.idle == idle && liveness.interval == interval)
        }
    }

    /// Linux counts a closed window too, and a broker in an alarm stops reading.
    @Test func isNeverLessPatientThanHeartbeatsAndBlockades() {
        #expect(liveness(heartbeat: .seconds(30)).userTimeout == 300_000)
        #expect(liveness(heartbeat: .seconds(600)).userTimeout == 1_200_000)
        #expect(liveness(heartbeat: .zero, blocked: .zero).userTimeout == 1_000)
        #expect(liveness(heartbeat: .seconds(Int64.max), blocked: .seconds(Int64.max)).userTimeout == .max)
    }

    @Test func isSetOnTheSocket() throws {
        let listener = try LoopbackSocket.listen()
        defer { close(listener.descriptor) }
        let address = try #require(ResolvedAddress.resolve(.init(host: "127.0.0.1", port: listener.port)).first)
        let socket = try Socket.connecting(to: address, liveness(heartbeat: .seconds(30)))
        func option(_ level: CInt, _ name: CInt) -> CInt {
            var (value, length) = (CInt(-1), socklen_t(MemoryLayout<CInt>.size))
            #expect(unsafe getsockopt(socket.descriptor, level, name, &value, &length) == 0)
            return value
        }
        #expect(option(SOL_SOCKET, SO_KEEPALIVE) == 1)
        #expect(option(CInt(IPPROTO_TCP), TCP_KEEPIDLE) == 30 && option(CInt(IPPROTO_TCP), TCP_KEEPINTVL) == 10)
        #expect(option(CInt(IPPROTO_TCP), TCP_KEEPCNT) == 3)
        #expect(option(CInt(IPPROTO_TCP), TCP_USER_TIMEOUT) == 300_000)
    }
}
