extension Clock where Duration == Swift.Duration {
    /// Sleeps for a simulated time; without suspending where it is zero.
    ///
    /// Throws `CancellationError` when the task is cancelled, even with nothing to wait for.
    func pause(for duration: Duration) async throws {
        try Task.checkCancellation()
        if duration > .zero { try await sleep(for: duration) }
    }
}
