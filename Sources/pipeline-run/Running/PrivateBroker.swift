import ActorBus
import LocalBroker
import Logging
import Pipeline

/// The broker of an `all` for which none is named: a real RabbitMQ of its own, with its data in the state folder.
enum PrivateBroker {
    /// Starts it, and stops it however `body` ends.
    ///
    /// Throws `CancellationError` when the stop signal comes before it answers.
    static func whileRunning<Value: Sendable>(
        in folder: StateDirectory, stop: StopSignal, _ logger: Logger,
        _ body: (ConnectionConfiguration) async throws -> Value
    ) async throws -> Value {
        logger.info("Starting a private RabbitMQ, which takes some seconds; AMQP_URL would name another broker")
        let options = LocalBrokerOptions(dataDirectory: folder.file("broker"))
        let broker = try await stop.untilStopped { try await LocalBroker.start(options) }
        logger.info(
            "The private RabbitMQ answers",
            metadata: ["address": "127.0.0.1:\(broker.nodes[0].amqpPort)", "data": "\(broker.dataDirectory)"])
        do {
            let value = try await body(try ConnectionConfiguration(url: broker.url))
            logger.info("Stopping the private RabbitMQ")
            await broker.stop()
            return value
        } catch {
            await broker.stop()
            throw error
        }
    }
}
