package import ActorBus

/// Sends notifications of orders, payments and shipments: three consumers, each with a connection of its own.
package struct NotificationService: PipelineService {
    private let service: ConsumingService

    /// - Parameter replicas: sets of three consumers that work side by side.
    package init(_ context: ServiceContext, notifier: any Notifier, replicas: Int, intake: Intake) {
        let metrics = NotificationMetrics(factory: context.registry)
        var consumers: [ConsumingService.Consumer] = []
        for replica in 1...max(replicas, 1) {
            let suffix = replicas > 1 ? " \(replica)" : ""
            consumers.append(.init(name: "orders" + suffix, stage: NotificationStage.orders(notifier, metrics)))
            consumers.append(.init(name: "payments" + suffix, stage: NotificationStage.payments(notifier, metrics)))
            consumers.append(.init(name: "shipments" + suffix, stage: NotificationStage.shipments(notifier, metrics)))
        }
        service = ConsumingService(context, intake: intake, consumers: consumers)
    }

    package func run(on broker: ConnectionConfiguration) async throws {
        try await service.run(on: broker)
    }
}
