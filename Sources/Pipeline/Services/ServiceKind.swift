/// The four services.
package enum ServiceKind: String, Sendable, Hashable, CaseIterable {
    case generator
    case payment
    case fulfillment
    case notification

    /// Those that publish events.
    package static let publishing: [ServiceKind] = [.generator, .payment, .fulfillment]

    /// What its messages carry as `app_id`, and its connections as the beginning of their names.
    package var appID: String {
        switch self {
        case .generator: "order-generator"
        case .payment: "payment-service"
        case .fulfillment: "fulfillment-service"
        case .notification: "notification-service"
        }
    }

    /// The queues that it consumes.
    package var queues: [PipelineQueue] {
        switch self {
        case .generator: []
        case .payment: [.payment]
        case .fulfillment: [.fulfillment]
        case .notification: [.orderNotices, .paymentNotices, .shipmentNotices]
        }
    }

    /// Where its metrics are, counted from the first service's port.
    package var portOffset: UInt16 {
        switch self {
        case .generator: 0
        case .payment: 1
        case .fulfillment: 2
        case .notification: 3
        }
    }
}
