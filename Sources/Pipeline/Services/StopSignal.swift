package import ActorBus

/// Tells work that it shall take up nothing new, and wakes it where it waits.
///
/// Unlike a task's cancellation it leaves alone what is in hand.
package final class StopSignal: Sendable {
    private struct State: Sendable {
        var isStopped = false
        var handlers: [UInt64: @Sendable () -> Void] = [:]
        var lastKey: UInt64 = 0
    }

    private let world: World
    private let state = Lock(State())

    package init(in world: World = .real) { self.world = world }

    package var isStopped: Bool { state.withLock { $0.isStopped } }

    /// Gives the signal; a second time changes nothing.
    package func stop() {
        let handlers = state.withLock { state in
            state.isStopped = true
            defer { state.handlers = [:] }
            // In the order in which they came: who asked first, such as the log, hears it first.
            return state.handlers.sorted { $0.key < $1.key }.map(\.value)
        }
        for handler in handlers { handler() }
    }

    /// Calls `handler` once when the signal is given, at once when it has been. It must not block.
    package func onStop(_ handler: @escaping @Sendable () -> Void) {
        _ = add(handler)
    }

    /// Runs something in a task of its own that is cancelled when the signal is given, or when the caller's task is.
    package func untilStopped<Value: Sendable>(
        _ operation: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let task = world.task { try await operation() }
        let key = add { task.cancel() }
        defer { state.withLock { $0.handlers[key] = nil } }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    /// Sleeps so long, or until the signal is given.
    package func sleep(for duration: Duration) async {
        do {
            try await untilStopped { try await self.world.sleep(for: duration) }
        } catch {
            // A sleep ends early by cancellation only, and that is what was asked for.
        }
    }

    private func add(_ handler: @escaping @Sendable () -> Void) -> UInt64 {
        let key: UInt64? = state.withLock { state in
            if state.isStopped { return nil }
            state.lastKey += 1
            state.handlers[state.lastKey] = handler
            return state.lastKey
        }
        if key == nil { handler() }
        return key ?? 0
    }
}
