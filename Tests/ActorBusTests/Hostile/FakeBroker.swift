import Glibc

@testable import ActorBus

/// A server on loopback that says what a test's script says: a peer for hostile bytes, and for orders of events that a real broker
/// shows too rarely to be tested with. It is no stand-in for RabbitMQ; what the client does with a healthy broker is tested against that.
///
/// Each connection runs the script on a thread of its own. ``stop()`` ends them all, and returns when they have ended.
final class FakeBroker: Sendable {
    typealias Script = @Sendable (_ peer: FakePeer, _ number: Int) throws -> Void

    let port: UInt16
    private let listener: CInt
    private let patience: Duration
    private let script: Script
    private let state = Lock(State())

    private struct State {
        var peers: [CInt] = []
        var threads: [pthread_t] = []
        var accepted = 0
        var isStopped = false
    }

    /// - Parameter patience: how long a read or write of the script may take.
    init(patience: Duration = .seconds(20), script: @escaping Script) throws {
        let listener = try LoopbackSocket.listen()
        self.listener = listener.descriptor
        port = listener.port
        self.patience = patience
        self.script = script
        start { [self] in accept() }
    }

    /// How many connections there were.
    var accepted: Int { state.withLock { $0.accepted } }

    /// A configuration for this server that loses no time.
    var configuration: ConnectionConfiguration {
        var configuration = ConnectionConfiguration(endpoints: [.init(host: "127.0.0.1", port: port)])
        configuration.connectAttempts = 1
        configuration.connectDelay = .milliseconds(10)
        configuration.connectTimeout = .seconds(3)
        configuration.replyTimeout = .seconds(3)
        configuration.recoveryDelay = .milliseconds(5)...(.milliseconds(20))
        configuration.heartbeat = .zero
        return configuration
    }

    func stop() {
        let threads = state.withLock { state in
            state.isStopped = true
            // Their threads close them.
            for peer in state.peers { shutdown(peer, CInt(SHUT_RDWR)) }
            return state.threads
        }
        shutdown(listener, CInt(SHUT_RDWR))
        for thread in threads { pthread_join(thread, nil) }
        // A connection that was accepted meanwhile.
        let late = state.withLock { state in state.threads.dropFirst(threads.count) }
        for thread in late { pthread_join(thread, nil) }
        close(listener)
    }

    private func accept() {
        while true {
            let descriptor = Glibc.accept(listener, nil, nil)
            if descriptor < 0 { return }
            let number = state.withLock { state -> Int? in
                guard !state.isStopped else { return nil }
                state.peers.append(descriptor)
                state.accepted += 1
                return state.accepted
            }
            guard let number else {
                close(descriptor)
                return
            }
            start { [self] in
                let peer = FakePeer(descriptor: descriptor, patience: patience)
                // The script ends by an error when the client goes away, which is how most of them end.
                try? script(peer, number)
                state.withLock { state in
                    state.peers.removeAll { $0 == descriptor }
                    _ = close(descriptor)
                }
            }
        }
    }

    private func start(_ body: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        let context = unsafe Unmanaged.passRetained(Body(run: body))
        let status = unsafe pthread_create(
            &thread, nil,
            { context in
                unsafe Unmanaged<Body>.fromOpaque(context!).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        guard status == 0 else { return unsafe context.release() }
        state.withLock { $0.threads.append(thread) }
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(run: @escaping @Sendable () -> Void) { self.run = run }
    }
}

/// Runs `body` beside a server that follows `script`, and ends the server.
func withFakeBroker<Value: Sendable>(
    patience: Duration = .seconds(20), _ script: @escaping FakeBroker.Script,
    _ body: (FakeBroker) async throws -> Value
) async throws -> Value {
    let broker = try FakeBroker(patience: patience, script: script)
    defer { broker.stop() }
    return try await body(broker)
}
