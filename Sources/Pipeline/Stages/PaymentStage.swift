/// Charges an order and publishes the payment, whether it succeeded or failed.
package struct PaymentStage: Stage {
    package let queue = PipelineQueue.payment
    private let gateway: any PaymentGateway
    private let metrics: PaymentMetrics

    package init(gateway: any PaymentGateway, metrics: PaymentMetrics) {
        self.gateway = gateway
        self.metrics = metrics
    }

    package func handle(_ order: Order, of identity: OrderIdentity) async throws -> StageAnswer? {
        let began = ContinuousClock.now
        let answer = try await gateway.charge(order, identity: identity)
        let took = began.duration(to: .now)
        let payment = Payment(of: order, answer: answer, at: .now())
        return StageAnswer(.paymentProcessed, publish: payment, report: .paid(payment, identity)) {
            metrics.processed(payment)
            metrics.took(took)
        }
    }
}
