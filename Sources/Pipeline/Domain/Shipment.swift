/// A paid order on its way; the message on the `shipments` exchange.
package struct Shipment: Sendable, Equatable {
    package let orderID: Int64
    package let customerEmail: String
    package let trackingNumber: String
    package let carrier: CarrierName
    package let estimatedDelivery: Timestamp
    package let timestamp: Timestamp
    /// The timestamp's text in the message.
    package let writtenTimestamp: String

    /// The shipment of what was paid, as the carrier booked it, at the moment of its departure.
    package init(of payment: Payment, booking: Booking, at timestamp: Timestamp) {
        orderID = payment.orderID
        customerEmail = payment.customerEmail
        trackingNumber = TrackingNumber.text(of: payment)
        carrier = booking.carrier
        estimatedDelivery = timestamp.adding(days: booking.deliveryDays)
        self.timestamp = timestamp
        writtenTimestamp = timestamp.text
    }

    /// Reads a message body. Throws where a field is missing, of the wrong type or out of range; further fields are ignored.
    package init(json body: [UInt8]) throws(MalformedMessage) {
        let fields = try MessageFields(message: body)
        orderID = try fields.whole("order_id")
        customerEmail = try fields.address("customer_email")
        trackingNumber = try fields.string("tracking_number")
        carrier = CarrierName(rawValue: try fields.string("carrier"))
        estimatedDelivery = try fields.time("estimated_delivery").0
        _ = try fields.status(oneOf: "shipped")
        (timestamp, writtenTimestamp) = try fields.time("timestamp")
    }

    /// The message body.
    package func encoded() -> [UInt8] {
        var json = JSONWriter(capacity: 320)
        json.beginObject()
        json.name("order_id")
        json.whole(orderID)
        json.name("customer_email")
        json.string(customerEmail)
        json.name("tracking_number")
        json.string(trackingNumber)
        json.name("carrier")
        json.string(carrier.rawValue)
        json.name("estimated_delivery")
        json.string(estimatedDelivery.text)
        json.name("status")
        json.string("shipped")
        json.name("timestamp")
        json.string(timestamp.text)
        json.endObject()
        return json.bytes
    }
}
