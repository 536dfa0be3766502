import ActorBus
import Logging
import Pipeline

/// Makes services of a configuration.
struct ServiceFactory: Sendable {
    let configuration: RunConfiguration
    let logs: LogOutput
    let observer: PipelineObserver
    let workInHand = WorkInHand()
    let drain: DrainTime

    init(_ configuration: RunConfiguration, logs: LogOutput, observer: PipelineObserver) {
        self.configuration = configuration
        self.logs = logs
        self.observer = observer
        drain = DrainTime(configuration.drainTimeout)
    }

    var topology: Topology { PipelineTopology.all(configuration.queueType) }

    func context(_ kind: ServiceKind) -> ServiceContext {
        ServiceContext(
            kind, topology: topology, drain: drain, workInHand: workInHand, observer: observer,
            logger: logs.logger(service: kind.rawValue))
    }

    func generator(
        _ context: ServiceContext, outbox: OrderOutbox, waitForRoom: @escaping @Sendable () async -> Void = {}
    ) -> any PipelineService {
        OrderGenerator(context, plan: configuration.plan, outbox: outbox, waitForRoom: waitForRoom)
    }

    /// A service that consumes; nil for the generator, which does not.
    func consumer(_ context: ServiceContext) -> (any PipelineService)? {
        let replicas = configuration.replicas(of: context.kind)
        let intake = configuration.intake
        switch context.kind {
        case .generator:
            return nil
        case .payment:
            let gateway = FailingPaymentGateway(
                SimulatedPaymentGateway(decisions: configuration.decisions, pace: configuration.paymentPace),
                configuration.gatewayFaults)
            return PaymentService(context, gateway: gateway, replicas: replicas, intake: intake)
        case .fulfillment:
            let carrier = SimulatedCarrier(decisions: configuration.decisions, pace: configuration.fulfillmentPace)
            return FulfillmentService(context, carrier: carrier, replicas: replicas, intake: intake)
        case .notification:
            let logger = context.logger
            let notifier = SimulatedNotifier { notification in
                logger.debug("Sending a notice", metadata: ["text": .string(notification.text)])
            }
            return NotificationService(context, notifier: notifier, replicas: replicas, intake: intake)
        }
    }
}
