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
    broker.loopbackPorts.withLock { $0 = server.ports }
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
    /// How to connect, as `guest`, to a broker that ``withSimulatedBroker(version:nodes:_:)`` serves, its nodes in their
    /// order: one that gives up soon and
    /// recovers fast.
    public var configuration: ConnectionConfiguration {
        var configuration = ConnectionConfiguration(
            endpoints: loopbackPorts.withLock { $0 }.map { .init(host: "127.0.0.1", port: $0) })
        configuration.connectAttempts = 1
        configuration.recoveryDelay = .milliseconds(1)...(.milliseconds(50))
        return configuration
    }
}
