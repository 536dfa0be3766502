public import ActorBus

/// Runs `body` with a simulated broker that serves on a port of 127.0.0.1, and ends it however that ends.
///
/// Connect with ``SimulatedBroker/configuration``, which names the port. The broker's clock follows the machine's, ahead
/// of it by what ``SimulatedBroker/advance(by:)`` adds.
///
/// - Throws: what `body` throws, and `AMQPError` `systemResource` when no port or thread is to be had.
public func withSimulatedBroker<Result: Sendable>(
    version: RabbitMQVersion = .fourThree, _ body: (SimulatedBroker) async throws -> Result
) async throws -> Result {
    let broker = SimulatedBroker(version: version)
    let server = try LoopbackServer(broker)
    broker.loopbackPort.withLock { $0 = server.port }
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

extension SimulatedBroker {
    /// How to connect, as `guest`, to a broker that ``withSimulatedBroker(version:_:)`` serves: one that gives up soon and
    /// recovers fast.
    public var configuration: ConnectionConfiguration {
        var configuration = ConnectionConfiguration(
            endpoints: [.init(host: "127.0.0.1", port: loopbackPort.withLock { $0 })])
        configuration.connectAttempts = 1
        configuration.recoveryDelay = .milliseconds(1)...(.milliseconds(50))
        if let place = place.withLock({ $0 }) {
            configuration.endpoints = [place.endpoint]
            configuration.world = place.world
        }
        return configuration
    }
}
