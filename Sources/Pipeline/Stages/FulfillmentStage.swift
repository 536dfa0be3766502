package import ActorBus

/// Ships what was paid. A failed payment is none of its business.
package struct FulfillmentStage: Stage {
    package let queue = PipelineQueue.fulfillment
    private let carrier: any Carrier
    private let metrics: FulfillmentMetrics
    private let world: World

    package init(carrier: any Carrier, metrics: FulfillmentMetrics, in world: World = .real) {
        self.carrier = carrier
        self.metrics = metrics
        self.world = world
    }

    package func handle(_ payment: Payment, of identity: OrderIdentity) async throws -> StageAnswer? {
        guard payment.status == .success else { return nil }
        let began = world.now
        let booking = try await carrier.book(payment, identity: identity)
        let took = world.now - began
        let shipment = Shipment(of: payment, booking: booking, at: world.timestamp)
        return StageAnswer(.shipmentCreated, publish: shipment, report: .shipped(shipment, identity)) {
            metrics.created()
            metrics.took(took)
        }
    }
}
