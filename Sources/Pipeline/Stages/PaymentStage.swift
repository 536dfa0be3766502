package import ActorBus

/// Charges an order and publishes the payment, whether it succeeded or failed.
package struct PaymentStage: Stage {
    package let queue = PipelineQueue.payment
    private let gateway: any PaymentGateway
    private let metrics: PaymentMetrics
    private let world: World

    package init(gateway: any PaymentGateway, metrics: PaymentMetrics, in world: World = .real) {
        self.gateway = gateway
        self.metrics = metrics
        self.world = world
    }

    package func handle(_ order: Order, of identity: OrderIdentity) async throws -> StageAnswer? {
        let began = world.now
        let answer = try await gateway.charge(order, identity: identity)
        let took = world.now - began
        let payment = Payment(of: order, answer: answer, at: world.timestamp)
        return StageAnswer(.paymentProcessed, publish: payment, report: .paid(payment, identity)) {
            metrics.processed(payment)
            metrics.took(took)
        }
    }
}
