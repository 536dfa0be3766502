import ActorBus

/// What the consuming services have in common: one connection for publishing, and one for each consumer.
///
/// Events that are published on, and dead letters, go over the publishing connection that the consumers share. Two
/// consumers never share a connection, so trouble on one leaves the others alone.
struct ConsumingService: PipelineService {
    /// A consumer of a connection of its own.
    struct Consumer: Sendable {
        let name: String
        let stage: any Stage
    }

    let context: ServiceContext
    let consumers: [Consumer]
    let intake: Intake
    /// Shared by all consumers, so that an effect is counted once whichever of them has it.
    private let effects = SharedEffects()

    init(_ context: ServiceContext, intake: Intake, consumers: [Consumer]) {
        self.context = context
        self.intake = intake
        self.consumers = consumers
    }

    func run(on broker: ConnectionConfiguration) async throws {
        try await context.withConnections(consumers.count + 1, to: broker) { connections in
            // Every message in work may wait for one confirm.
            let window = max(1, min(consumers.count * intake.concurrency, 1_000))
            let publisher = try await connections.publisher(window: window)
            try await withThrowingDiscardingTaskGroup { group in
                for consumer in consumers {
                    group.addTask {
                        let connection = try await connections.open(consumer.name, consuming: consumer.stage.queue)
                        try await consume(consumer.stage, on: connection, publisher)
                    }
                }
            }
        }
    }

    private func consume(_ stage: some Stage, on connection: AMQPConnection, _ publisher: EventPublisher) async throws {
        let runner = StageRunner(
            stage, publisher: publisher, effects: effects, metrics: context.metrics, workInHand: context.workInHand,
            observer: context.observer, logger: context.logger)
        try await runner.run(on: connection, intake, context.drain)
    }
}
