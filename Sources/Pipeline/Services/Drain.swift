import ActorBus

/// Runs work that may finish what it has in hand when the caller's task is cancelled.
///
/// Cancellation reaches the work as a signal. Only when it has not returned within what is left of `time` after that is
/// it cancelled itself; then this throws `AMQPError` with the code `drainTimedOut`, once the work has returned.
func withDrain(within time: DrainTime, _ work: @escaping @Sendable (StopSignal) async throws -> Void) async throws {
    let signal = StopSignal(in: time.world)
    // A task of its own, which the caller's cancellation does not reach.
    let task = time.world.task { try await work(signal) }
    let deadline = Lock<(timer: Task<Void, Never>?, hasPassed: Bool)>((nil, false))
    defer { deadline.withLock { $0.timer }?.cancel() }
    do {
        try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            signal.stop()
            let left = time.left
            let timer = time.world.task {
                do { try await time.world.sleep(for: left) } catch { return }
                deadline.withLock { $0.hasPassed = true }
                task.cancel()
            }
            deadline.withLock { $0.timer = timer }
        }
    } catch {
        guard deadline.withLock({ $0.hasPassed }) else { throw error }
        throw AMQPError(
            .drainTimedOut, "what was in hand was not finished within \(time.limit) of the stop signal",
            remedy: "it will be done after the next start, or give the drain more time")
    }
}
