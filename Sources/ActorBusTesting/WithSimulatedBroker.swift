public import ActorBus

/// Runs `body` with a simulated broker whose nodes serve on ports of 127.0.0.1, and ends it however that ends.
///
/// Connect with ``SimulatedBroker/configuration``, which names the ports. The broker's clock follows the machine's, ahead
/// of it by what ``SimulatedBroker/advance(by:)`` adds.
///
/// - Throws: what `body` throws, and `AMQPError` `systemResource` when no port or thread is to be had.
public func withSimulatedBroker<Result: Sendable>(
    version: RabbitMQVersion = .fourThree, nodes: Int = 1, _ body: (SimulatedBroker) async throws -> Result
) async throws -> Result {
    let broker = SimulatedBroker(version: version, nodes: nodes)
    let server = try LoopbackServer(broker)
    broker.place.withLock { place in
        place = (server.ports.map { .init(host: "127.0.0.1", port: $0) }, .real)
    }
    let thread = try BlockingThread(name: "simulated")
    let serving = Task(executorPreference: thread) { server.run() }
    do {
        let result = try await body(broker)
        server.stop()
        await serving.value
        return result
    } catch {
        server.stop()
        await serving.value
        throw error
    }
}

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
    broker.place.withLock { $0 = ([.init(host: "broker")], simulated.world) }
    return try await simulated.run { try await body(broker, simulated) }
}

extension SimulatedBroker {
    /// How to connect, as `guest`, to a broker that ``withSimulatedBroker(version:nodes:_:)`` or
    /// ``withSimulatedBroker(version:seed:_:)`` serves, its nodes in their order: one that gives up soon and recovers fast.
    public var configuration: ConnectionConfiguration {
        var configuration = ConnectionConfiguration()
        if let place = place.withLock({ $0 }) {
            configuration.endpoints = place.endpoints
            configuration.world = place.world
        }
        configuration.connectAttempts = 1
        configuration.recoveryDelay = .milliseconds(1)...(.milliseconds(50))
        return configuration
    }
}
