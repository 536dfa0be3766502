internal import ActorBus

extension SimulatedBroker {
    /// Waits until `condition` holds of the broker, which is asked again after everything that a connection has said and
    /// whenever time has done something.
    ///
    /// Bound it by a time limit of the test. Only for a broker that ``withSimulatedBroker(version:nodes:_:)`` serves.
    /// - Throws: `CancellationError` when the task is cancelled.
    public func wait(until condition: (SimulatedBroker) -> Bool) async throws {
        while true {
            let seen = changes.count
            if condition(self) { return }
            await changes.next(after: seen)
            try Task.checkCancellation()
        }
    }

    /// Waits until none of these queues has a message that is ready or unsettled. One that is not there has none.
    ///
    /// Bound it by a time limit of the test. Only for a broker that ``withSimulatedBroker(version:nodes:_:)`` serves.
    /// - Throws: `CancellationError` when the task is cancelled.
    public func waitUntilSettled(_ queues: String...) async throws {
        try await wait { broker in
            queues.allSatisfy { broker.depth(of: $0) ?? 0 == 0 && broker.unsettled(of: $0)?.isEmpty ?? true }
        }
    }
}

/// Counts what happens in a broker, for those who wait for something to happen.
final class ChangeCounter: Sendable {
    private struct State {
        var count: UInt64 = 0
        var nextWaiter: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        /// Cancelled before they waited.
        var cancelled: Set<UInt64> = []
    }

    private let state = Lock(State())

    var count: UInt64 { state.withLock { $0.count } }

    func note() {
        let waiting = state.withLock { state in
            state.count += 1
            defer { state.waiters = [:] }
            return state.waiters.sorted { $0.key < $1.key }.map(\.value)
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Returns after a change that comes, or has come, after `seen`, and when the task is cancelled.
    func next(after seen: UInt64) async {
        let waiter = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.count != seen || state.cancelled.remove(waiter) != nil { return true }
                    state.waiters[waiter] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let continuation = state.withLock { state in
                let continuation = state.waiters.removeValue(forKey: waiter)
                if continuation == nil { state.cancelled.insert(waiter) }
                return continuation
            }
            continuation?.resume()
        }
        state.withLock { _ = $0.cancelled.remove(waiter) }
    }
}
