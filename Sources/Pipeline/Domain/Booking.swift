/// What a carrier promises for a shipment.
package struct Booking: Sendable, Equatable {
    package let carrier: CarrierName
    /// Days from the shipment to its delivery.
    package let deliveryDays: Int64

    package init(carrier: CarrierName, deliveryDays: Int64) {
        self.carrier = carrier
        self.deliveryDays = deliveryDays
    }
}
