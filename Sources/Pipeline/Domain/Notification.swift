/// A notice to a customer about an event of an order.
package struct Notification: Sendable, Equatable {
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        case orderConfirmation = "order_confirmation"
        case paymentSuccess = "payment_success"
        case paymentFailed = "payment_failed"
        case shipmentNotification = "shipment_notification"

        /// The topic that notices of this kind belong to: `orders`, `payments` or `shipments`.
        package var topic: String {
            switch self {
            case .orderConfirmation: "orders"
            case .paymentSuccess, .paymentFailed: "payments"
            case .shipmentNotification: "shipments"
            }
        }
    }

    package let kind: Kind
    package let orderID: Int64
    package let recipient: String
    /// One line; what strangers wrote is escaped and cut.
    package let text: String

    package var topic: String { kind.topic }

    package init(of order: Order) {
        kind = .orderConfirmation
        orderID = order.orderID
        recipient = order.customerEmail
        let currency = order.currency == "EUR" ? "€" : PrintableText.of(order.currency, limit: 12) + " "
        text = "Order #\(order.orderID) received - Total: \(currency)\(order.totalAmount.text)"
    }

    package init(of payment: Payment) {
        orderID = payment.orderID
        recipient = payment.customerEmail
        switch payment.status {
        case .success:
            kind = .paymentSuccess
            text = "Payment successful for order #\(payment.orderID)"
        case .failed:
            kind = .paymentFailed
            let reason = payment.failureReason.map { PrintableText.of($0.rawValue, limit: 200) } ?? "no reason given"
            text = "Payment failed for order #\(payment.orderID) - \(reason)"
        }
    }

    package init(of shipment: Shipment) {
        kind = .shipmentNotification
        orderID = shipment.orderID
        recipient = shipment.customerEmail
        let tracking = PrintableText.of(shipment.trackingNumber, limit: 200)
        text = "Order #\(shipment.orderID) shipped - Tracking: \(tracking)"
    }
}
