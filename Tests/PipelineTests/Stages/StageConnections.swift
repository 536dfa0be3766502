import ActorBus
import Logging

@testable import Pipeline

/// The two connections of a service, with the publisher over one of them, and metrics of their own.
struct StageConnections: Sendable {
    let consuming: AMQPConnection
    let publishing: AMQPConnection
    let publisher: EventPublisher
    let registry: PrometheusRegistry
    let metrics: WorkerMetrics
}

/// Runs `body` with connections that are open, and closes them.
func withStageConnections(
    to configuration: ConnectionConfiguration, topology: Topology, logger: Logger,
    _ body: (StageConnections) async throws -> Void
) async throws {
    try await withConnection(to: configuration, topology: topology, logger: logger) { consuming in
        try await withConnection(to: configuration, topology: topology, logger: logger) { publishing in
            let registry = PrometheusRegistry()
            let metrics = WorkerMetrics(queues: PipelineQueue.allCases.map(\.rawValue), factory: registry)
            let publisher = try await EventPublisher(
                appID: "test", connection: publishing, topology: topology, window: 100, metrics: metrics,
                logger: logger)
            try await body(
                StageConnections(
                    consuming: consuming, publishing: publishing, publisher: publisher, registry: registry,
                    metrics: metrics))
        }
    }
}
