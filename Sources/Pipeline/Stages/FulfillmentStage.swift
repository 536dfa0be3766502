/// Ships what was paid. A failed payment is none of its business.
package struct FulfillmentStage: Stage {
    package let queue = PipelineQueue.fulfillment
    private let carrier: any Carrier
    private let metrics: FulfillmentMetrics

    package init(carrier: any Carrier, metrics: FulfillmentMetrics) {
        self.carrier = carrier
        self.metrics = metrics
    }

    package func handle(_ payment: Payment, of identity: OrderIdentity) async throws -> StageAnswer? {
        guard payment.status == .success else { return nil }
        let began = ContinuousClock.now
        let booking = try await carrier.book(payment, identity: identity)
        let took = began.duration(to: .now)
        let shipment = Shipment(of: payment, booking: booking, at: .now())
        return StageAnswer(.shipmentCreated, publish: shipment, report: .shipped(shipment, identity)) {
            metrics.created()
            metrics.took(took)
        }
    }
}
