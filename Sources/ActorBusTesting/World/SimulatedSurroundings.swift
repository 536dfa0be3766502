internal import ActorBus

/// Time, randomness, names, streams and threads as a ``SimulatedWorld`` has them.
final class SimulatedSurroundings: Surroundings, @unchecked Sendable {
    // Unchecked: the simulation has one thread.
    private let scheduler: Scheduler
    private let network: SimulatedNetwork
    /// Whose they are; nil for what runs in no process of its own.
    private let process: ProcessExecutor?
    private var random: SeededGenerator

    /// A Monday in 2026, when every simulation begins: the same moment as for the simulated broker.
    private static let beginning: Int64 = 1_767_600_000_000

    init(
        _ scheduler: Scheduler, _ network: SimulatedNetwork, of process: ProcessExecutor? = nil,
        random: SeededGenerator
    ) {
        self.scheduler = scheduler
        self.network = network
        self.process = process
        self.random = random
    }

    var now: Instant { scheduler.now }
    var calendarTime: Int64 { Self.beginning + scheduler.now.nanoseconds / 1_000_000 }
    var taskExecutor: (any TaskExecutor)? { process ?? scheduler }

    func randomNumber() -> UInt64 {
        scheduler.checkThread()
        return random.next()
    }

    func sleep(for duration: Duration) async throws {
        let sleeper = Sleeper(scheduler)
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { sleeper.begin($0, duration) }
        } onCancel: {
            sleeper.cancel()
        }
    }

    func addresses(
        of endpoint: ConnectionConfiguration.Endpoint, timeout: Duration
    ) async throws -> [ResolvedAddress] {
        switch network.lookUp(endpoint.host) {
        case .unanswered:
            try await sleep(for: timeout)
            throw AMQPError(
                .brokerUnreachable, "the host name '\(endpoint.host)' was not resolved within \(timeout)")
        case .unknown:
            try await sleep(for: .milliseconds(1))
            throw AMQPError(
                .brokerUnreachable, "the host name '\(endpoint.host)' does not resolve: Name or service not known")
        case .known(let addresses):
            try await sleep(for: .milliseconds(1))
            return addresses.map { $0.resolved(port: endpoint.port) }
        }
    }

    func connect(to address: ResolvedAddress, _ liveness: Liveness) throws(AMQPError) -> any Transport {
        scheduler.checkThread()
        return network.connect(to: address, for: process)
    }

    func makeThread(name: String) throws(AMQPError) -> any LoopThread {
        SimulatedThread(name: name, of: process, scheduler, network)
    }
}

/// A task that sleeps.
private final class Sleeper: @unchecked Sendable {
    // Unchecked: the simulation has one thread.
    private let scheduler: Scheduler
    private var continuation: CheckedContinuation<Void, any Error>?
    private var timer: UInt64 = 0

    init(_ scheduler: Scheduler) { self.scheduler = scheduler }

    func begin(_ continuation: CheckedContinuation<Void, any Error>, _ duration: Duration) {
        guard !Task.isCancelled else { return continuation.resume(throwing: CancellationError()) }
        self.continuation = continuation
        timer = scheduler.at(scheduler.now + max(.zero, duration)) { self.continuation.take()?.resume() }
    }

    func cancel() {
        scheduler.checkThread()
        guard let continuation = continuation.take() else { return }
        scheduler.cancelTimer(timer)
        continuation.resume(throwing: CancellationError())
    }
}
