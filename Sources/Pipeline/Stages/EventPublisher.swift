package import ActorBus
package import Logging

/// Publishes for one service: with confirm, and with every answer of the broker counted.
package struct EventPublisher: Sendable {
    /// The service's name in `app_id`.
    private let appID: String
    private let connection: AMQPConnection
    private let publisher: Publisher
    private let topology: Topology
    private let metrics: WorkerMetrics
    private let refusals: PublishRefusals
    private let logger: Logger

    /// - Parameters:
    ///   - connection: used for publishing only, since a broker short of memory stops reading a publisher's socket.
    ///   - window: how many messages may be unconfirmed at once.
    ///   - refusalMemory: how long a refusal counts that nothing has been published after.
    package init(
        appID: String, connection: AMQPConnection, topology: Topology, window: Int,
        refusalMemory: Duration = .seconds(660), metrics: WorkerMetrics, logger: Logger
    ) async throws {
        self.appID = appID
        self.connection = connection
        self.topology = topology
        self.metrics = metrics
        refusals = PublishRefusals(memory: refusalMemory)
        self.logger = logger
        publisher = try await connection.publisher(window: window)
    }

    /// The message of an event, signed by this service.
    package func message(of event: some PipelineEvent, _ context: EventContext) -> Message {
        context.message(of: event, from: appID)
    }

    /// Why the broker takes nothing from this service at the moment, in a line; nil while it does.
    package var refusal: String? { refusals.reason }

    /// Returns when the broker has confirmed; throws as `Publisher.publish` does.
    package func publish(_ message: Message, to target: PublishTarget) async throws {
        do {
            try await publisher.publish(
                message, to: target.exchange, routingKey: target.routingKey, mandatory: true)
            metrics.published(.confirmed)
            refusals.taken(by: target)
        } catch let error as AMQPError {
            if let result = Self.result(of: error) {
                metrics.published(result)
                if result != .unknown { refusals.refused(by: target, error) }
            }
            if error.code == .returned || error.code == .notFound { await restoreTopology(after: error) }
            throw error
        }
    }

    /// What was refused there is known to be refused for its own sake, and goes elsewhere.
    func excuse(_ target: PublishTarget) { refusals.taken(by: target) }

    /// Somebody deleted a queue or an exchange while the connection was open; the next attempt needs it again.
    private func restoreTopology(after error: AMQPError) async {
        do {
            try await connection.declare(topology)
        } catch {
            logger.warning("The exchanges and queues could not be declared again: \(error)")
        }
    }

    /// How an error is counted; nil where surely nothing was sent.
    private static func result(of error: AMQPError) -> WorkerMetrics.PublishResult? {
        switch error.code {
        case .returned: .returned
        case .refused, .notFound, .accessRefused, .preconditionFailed: .refused
        case .maybePublished: .unknown
        default: nil
        }
    }
}
