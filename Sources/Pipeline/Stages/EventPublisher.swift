package import ActorBus
package import Logging

/// Publishes for one service: with confirm, and with every answer of the broker counted.
package struct EventPublisher: Sendable {
    /// The service's name in `app_id`.
    private let appID: String
    private let connection: AMQPConnection
    let world: World
    private let publisher: Publisher
    let topology: Topology
    /// The queues that are bound to each exchange.
    private let boundQueues: [String: [String]]
    private let restoration: TopologyRestoration
    /// Given when the user may not publish and will not get the right back: the service is ending.
    let rightIsLost: StopSignal
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
        world = connection.configuration.world
        restoration = TopologyRestoration(in: world)
        rightIsLost = StopSignal(in: world)
        self.topology = topology
        boundQueues = topology.queues.reduce(into: [:]) { queues, queue in
            for binding in queue.bindings { queues[binding.exchange, default: []].append(queue.name) }
        }
        self.metrics = metrics
        refusals = PublishRefusals(memory: refusalMemory, in: world)
        self.logger = logger
        publisher = try await connection.publisher(window: window)
    }

    /// The message of an event, signed by this service.
    package func message(of event: some PipelineEvent, _ context: EventContext) -> Message {
        context.message(of: event, from: appID)
    }

    /// Why the service cannot publish at the moment, in a line; nil while it can.
    package var refusal: String? {
        if let reason = refusals.reason { return reason }
        let undeclared = connection.status.undeclaredQueues
        guard !undeclared.isEmpty else { return nil }
        return boundQueues.sorted { $0.key < $1.key }.lazy.compactMap { exchange, queues in
            queues.first(where: undeclared.contains).map {
                "publishing to the exchange '\(exchange)' waits: the queue '\($0)' cannot be declared again yet"
            }
        }.first
    }

    /// Returns when the broker has confirmed, with every queue of the topology that is bound to the exchange in place;
    /// throws as `Publisher.publish` does, and `timedOut` while such a queue is left out.
    package func publish(_ message: Message, to target: PublishTarget) async throws {
        do {
            let queues = boundQueues[target.exchange] ?? []
            let before = connection.status
            if let queue = queues.first(where: before.undeclaredQueues.contains) {
                throw Self.leftOut(queue, target)
            }
            try await publisher.publish(
                message, to: target.exchange, routingKey: target.routingKey, mandatory: true)
            // It may have been sent again by a recovery that left a queue out, and have been routed past it.
            let after = connection.status
            if let queue = queues.first(where: { before.omissions[$0] != after.omissions[$0] }) {
                throw Self.missed(queue, target)
            }
            metrics.published(.confirmed)
            refusals.taken(by: target)
        } catch let error as AMQPError {
            if let result = Self.result(of: error) {
                metrics.published(result)
                if result != .unknown { refusals.refused(by: target, error) }
            }
            if error.code == .returned || error.code == .notFound, let refusal = await restore(target) {
                refusals.refused(by: target, refusal)
                throw refusal
            }
            throw error
        }
    }

    /// What was refused there is known to be refused for its own sake, and goes elsewhere.
    func excuse(_ target: PublishTarget) { refusals.taken(by: target) }

    private static func leftOut(_ queue: String, _ target: PublishTarget) -> AMQPError {
        AMQPError(
            .timedOut,
            "nothing is published to \(target) while the queue '\(queue)', which is bound to it, is not declared again: "
                + "it would miss the message",
            remedy: "see why the broker does not take the queue; a node of the cluster may be away")
    }

    private static func missed(_ queue: String, _ target: PublishTarget) -> AMQPError {
        AMQPError(
            .maybePublished,
            "the message to \(target) was confirmed, but the queue '\(queue)' was not declared again at the time")
    }

    /// Somebody deleted a queue or an exchange while the connection was open; the next attempt needs it again. Returns why
    /// the user may not declare it.
    private func restore(_ target: PublishTarget) async -> AMQPError? {
        await restoration.restore(target) { [connection, topology, logger] in
            do {
                try await connection.declare(topology.part(for: target))
                return nil
            } catch {
                // The message that needs it is told of, in few lines.
                logger.debug("\(target) could not be declared again: \(error)")
                guard var error = error as? AMQPError, error.code == .accessRefused else { return nil }
                error.message = "\(target) is not there and could not be declared again: \(error.message)"
                return error
            }
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
