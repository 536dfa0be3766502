import ActorBus
import ActorBusTesting

/// The simulated world as one client has it, and a look at what the client takes from it.
final class ClientWorld: Surroundings, @unchecked Sendable {
    // Unchecked: a simulation has one thread.
    private let base: any Surroundings
    private let simulated: SimulatedWorld
    var law: AttemptLaw
    /// Pauses that are not over.
    private(set) var sleepers = 0

    init(_ simulated: SimulatedWorld, law: AttemptLaw) {
        base = simulated.world.surroundings
        self.simulated = simulated
        self.law = law
    }

    var now: Instant { base.now }
    var calendarTime: Int64 { base.calendarTime }
    var taskExecutor: (any TaskExecutor)? { base.taskExecutor }

    func randomNumber() -> UInt64 {
        let number = base.randomNumber()
        law.drew(number, at: simulated.elapsed)
        return number
    }

    func sleep(for duration: Duration) async throws {
        sleepers += 1
        defer { sleepers -= 1 }
        try await base.sleep(for: duration)
    }

    func addresses(
        of endpoint: ConnectionConfiguration.Endpoint, timeout: Duration
    ) async throws -> [ResolvedAddress] {
        law.looksUp(at: simulated.elapsed)
        return try await base.addresses(of: endpoint, timeout: timeout)
    }

    func connect(to address: ResolvedAddress, _ liveness: Liveness) throws(AMQPError) -> any Transport {
        try base.connect(to: address, liveness)
    }

    func makeThread(name: String) throws(AMQPError) -> any LoopThread { try base.makeThread(name: name) }
}
