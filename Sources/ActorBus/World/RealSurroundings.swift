internal import Glibc

/// The machine's clocks, network and threads.
final class RealSurroundings: Surroundings {
    var now: Instant {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    var calendarTime: Int64 {
        var time = timespec()
        // Fails only for a clock that does not exist, and this one always does.
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    var taskExecutor: (any TaskExecutor)? { nil }

    func randomNumber() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }

    func sleep(for duration: Duration) async throws { try await Task.sleep(for: duration) }

    func addresses(
        of endpoint: ConnectionConfiguration.Endpoint, timeout: Duration
    ) async throws -> [ResolvedAddress] {
        try await NameResolver.addresses(of: endpoint, timeout: timeout)
    }

    func connect(to address: ResolvedAddress, _ liveness: Liveness) throws(AMQPError) -> any Transport {
        try Socket.connecting(to: address, liveness)
    }

    func makeThread(name: String) throws(AMQPError) -> any LoopThread { try BlockingThread(name: name) }
}
