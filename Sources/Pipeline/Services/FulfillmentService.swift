package import ActorBus

/// Creates shipments: consumes payments, publishes shipments of those that succeeded.
package struct FulfillmentService: PipelineService {
    private let service: ConsumingService

    /// - Parameter replicas: consumers that work side by side, each with a connection of its own.
    package init(_ context: ServiceContext, carrier: any Carrier, replicas: Int, intake: Intake) {
        let stage = FulfillmentStage(
            carrier: carrier, metrics: FulfillmentMetrics(factory: context.registry), in: context.world)
        service = ConsumingService(context, intake: intake, consumers: .replicas(replicas, of: stage))
    }

    package func run(on broker: ConnectionConfiguration) async throws {
        try await service.run(on: broker)
    }
}
