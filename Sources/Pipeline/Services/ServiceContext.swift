package import ActorBus
package import Logging

/// What every service is given: what it needs at the broker, and where it shows what it does.
package struct ServiceContext: Sendable {
    package let kind: ServiceKind
    package let topology: Topology
    /// Where its time, randomness and tasks come from: the same as its connections'.
    package let world: World
    /// How long what is in hand may take once the service is to stop.
    package let drain: DrainTime
    /// What the service's own port shows.
    package let registry: PrometheusRegistry
    package let metrics: WorkerMetrics
    package let health = ServiceHealth()
    package let workInHand: WorkInHand
    package let observer: PipelineObserver
    package let logger: Logger

    package init(
        _ kind: ServiceKind, topology: Topology, drain: DrainTime, workInHand: WorkInHand = WorkInHand(),
        observer: PipelineObserver, logger: Logger, in world: World = .real
    ) {
        self.kind = kind
        self.topology = topology
        self.world = world
        self.drain = drain
        self.workInHand = workInHand
        self.observer = observer
        self.logger = logger
        registry = PrometheusRegistry()
        metrics = WorkerMetrics(
            queues: kind.queues.map(\.rawValue), factory: registry, now: { world.monotonicTime })
        ProcessMetrics.register(in: registry)
    }
}
