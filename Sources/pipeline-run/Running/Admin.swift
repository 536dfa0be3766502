import Logging
import Pipeline

/// Metrics and health of one service, on a port of its own.
struct Admin: Sendable {
    private let server: AdminServer
    private let logger: Logger

    /// Binds the port, so that one that cannot be had is known before any work begins.
    init(_ context: ServiceContext, _ configuration: RunConfiguration) throws {
        logger = context.logger
        let health = context.health
        server = try AdminServer(
            address: configuration.metricsAddress, port: configuration.metricsPort(of: context.kind),
            registry: context.registry, readiness: { health.readiness }, logger: context.logger)
    }

    /// Serves until the task is cancelled.
    @Sendable func serve() async {
        logger.info("Metrics and health on http://\(server.endpoint)/metrics, /livez and /readyz")
        do {
            try await server.run()
        } catch {
            logger.error("Metrics and health are no longer served: \(error)")
        }
    }
}
