internal import ActorBus

/// Runs `body` with a simulated broker in a world of its own, in virtual time: hours take milliseconds, and the same seed
/// gives the same run.
///
/// Connect with ``SimulatedBroker/configuration``. Everything in `body` has to belong to the world that it is given
/// (``SimulatedWorld``), which also has the network between the two and its faults: the broker serves at `broker`.
///
/// - Throws: what `body` throws, and ``SimulationFailure`` when it waits for something that can never happen.
public func withSimulatedBroker<Result: Sendable>(
    version: RabbitMQVersion = .fourThree, seed: UInt64,
    _ body: @escaping @Sendable (SimulatedBroker, SimulatedWorld) async throws -> Result
) async throws -> Result {
    let broker = SimulatedBroker(version: version)
    let simulated = SimulatedWorld(seed: seed)
    simulated.network.serve(broker, at: "broker")
    broker.place.withLock { $0 = (.init(host: "broker"), simulated.world) }
    return try await simulated.run { try await body(broker, simulated) }
}
