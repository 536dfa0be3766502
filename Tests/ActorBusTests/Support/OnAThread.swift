import Glibc

@testable import ActorBus

/// An actor on a connection's thread, and nothing else.
actor Threaded {
    private nonisolated let thread: BlockingThread

    init(name: String = "threaded") throws { thread = try BlockingThread(name: name) }

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.unownedExecutor }

    func run<Value: Sendable>(_ body: @Sendable () throws -> Value) rethrows -> Value { try body() }
}

/// Runs `body` on a thread as connections have it, with the stack that they have.
func onAConnectionsThread(_ body: sending @escaping () -> Void) async throws {
    let box = Lock(Optional(body))
    try await Threaded().run { box.withLock { $0.take() }?() }
}
