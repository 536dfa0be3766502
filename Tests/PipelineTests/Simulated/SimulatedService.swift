import ActorBus
import ActorBusTesting

@testable import Pipeline

/// A service in a simulated world, with what it shows of itself.
final class SimulatedService: Sendable {
    private let context: ServiceContext
    private let service: any PipelineService
    private let simulated: SimulatedWorld
    private let running = Lock<Task<Void, any Error>?>(nil)

    private init(_ context: ServiceContext, _ service: any PipelineService, in simulated: SimulatedWorld) {
        self.context = context
        self.service = service
        self.simulated = simulated
    }

    /// A payment service with one replica that takes one order at a time, on classic queues.
    static func payment(_ gateway: some PaymentGateway, in simulated: SimulatedWorld) -> SimulatedService {
        let context = ServiceContext(
            .payment, topology: PipelineTopology.all(.classic), drain: DrainTime(.seconds(25), in: simulated.world),
            observer: PipelineObserver { _ in }, logger: SimulatedScene.logger, in: simulated.world)
        let service = PaymentService(
            context, gateway: gateway, replicas: 1, intake: Intake(prefetch: 1, concurrency: 1))
        return SimulatedService(context, service, in: simulated)
    }

    func start(on broker: ConnectionConfiguration) -> SimulatedService {
        let task = simulated.task { [service] in try await service.run(on: broker) }
        running.withLock { $0 = task }
        return self
    }

    var health: ServiceHealth { context.health }

    /// What `/readyz` says of why it is not ready; nil when it is.
    var trouble: String? {
        if case .notReady(let why) = health.readiness { why } else { nil }
    }

    /// The stop signal.
    func stop() { running.withLock { $0 }?.cancel() }

    /// Waits until it has ended, and throws what it threw.
    func end() async throws { try await running.withLock { $0 }?.value }

    /// Waits for what `/readyz` is to say; nil for that it is ready.
    func waits(for words: String?, within limit: Duration = .seconds(300)) async throws {
        let end = simulated.elapsed + limit
        while words.map({ trouble?.contains($0) != true }) ?? (trouble != nil) {
            guard simulated.elapsed < end else {
                throw Overdue("\(words ?? "ready"); it says \(trouble ?? "that it is ready")")
            }
            try await simulated.sleep(for: .milliseconds(5))
        }
    }

    /// Publishes orders over a connection of their own.
    static func publishOrders(_ count: Int64, to broker: SimulatedBroker, in simulated: SimulatedWorld) async throws {
        try await withConnection(to: broker.configuration, logger: SimulatedScene.logger) { connection in
            let publisher = try await connection.publisher()
            for number in 1...count {
                let order = Order(
                    orderID: number, customerEmail: "a@example.com", items: [],
                    totalAmount: Money(cents: 1250) ?? .zero, currency: "EUR", timestamp: simulated.world.timestamp)
                try await publisher.publish(
                    Message(
                        body: order.encoded(),
                        properties: MessageProperties(
                            deliveryMode: .persistent, correlationID: "order-\(number)", appID: "order-generator")),
                    to: "orders")
            }
        }
    }
}
