package import ActorBus

/// Processes payments: consumes orders, publishes payments.
package struct PaymentService: PipelineService {
    private let service: ConsumingService

    /// - Parameter replicas: consumers that work side by side, each with a connection of its own.
    package init(_ context: ServiceContext, gateway: any PaymentGateway, replicas: Int, intake: Intake) {
        let stage = PaymentStage(
            gateway: gateway, metrics: PaymentMetrics(factory: context.registry), in: context.world)
        service = ConsumingService(context, intake: intake, consumers: .replicas(replicas, of: stage))
    }

    package func run(on broker: ConnectionConfiguration) async throws {
        try await service.run(on: broker)
    }
}

extension [ConsumingService.Consumer] {
    /// The same stage so many times.
    static func replicas(_ count: Int, of stage: some Stage) -> Self {
        (1...Swift.max(count, 1)).map { ConsumingService.Consumer(name: "replica \($0)", stage: stage) }
    }
}
