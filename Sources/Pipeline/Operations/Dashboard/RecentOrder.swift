/// What the dashboard shows of one order: what is known of it, and when what happened. Texts are fit to be shown, and
/// bounded.
package struct RecentOrder: Sendable, Equatable {
    package struct Payment: Sendable, Equatable {
        package let time: Timestamp
        /// Nil where it succeeded.
        package let declined: String?
        package let method: String?
    }

    package struct Shipment: Sendable, Equatable {
        package let time: Timestamp
        package let carrier: String
        package let trackingNumber: String
    }

    /// What the times count from.
    package struct Beginning: Sendable, Equatable {
        package let time: Timestamp
        /// Whether it is known to the second only.
        package let isRough: Bool
    }

    private static let longestText = 80

    package let identity: OrderIdentity
    /// Nil as long as only its identity is known.
    package private(set) var number: Int64?
    package private(set) var customer: String?
    package private(set) var total: String?
    /// How many lines the order has.
    package private(set) var items: Int?
    /// The moment of the order; nil where no message of it told.
    package private(set) var beginning: Beginning?
    /// When this process first heard of it.
    package let firstSeen: Timestamp
    /// When the broker confirmed the order.
    package private(set) var ordered: Timestamp?
    package private(set) var payment: Payment?
    package private(set) var shipment: Shipment?
    package private(set) var orderNotice: Timestamp?
    package private(set) var paymentNotice: Timestamp?
    package private(set) var shipmentNotice: Timestamp?
    /// The queue from which a message of it was put aside, the last one.
    package private(set) var putAside: PipelineQueue?

    /// Whether nothing has happened to it but that it was ordered.
    var waits: Bool { payment == nil && shipment == nil && putAside == nil }

    init(_ identity: OrderIdentity, firstSeen time: Timestamp) {
        self.identity = identity
        firstSeen = time
    }

    /// Takes in what happened to this order.
    mutating func note(_ event: OrderEvent, at time: Timestamp) {
        switch event {
        case .placing:
            beginning = Beginning(time: time, isRough: false)
            // Only orders of our own are placed, and their identity ends with the number.
            number = identity.text.split(separator: "-").last.flatMap { Int64($0) }
        case .ordered(let order, _):
            know(order.orderID, order.customerEmail, order.totalAmount, order.currency)
            items = order.items.count
            ordered = time
            begin(second: order.timestamp.seconds, before: time)
        case .paid(let payment, _):
            know(payment.orderID, payment.customerEmail, payment.amount, payment.currency)
            let declined = payment.failureReason.map(\.rawValue) ?? "no reason given"
            self.payment = Payment(
                time: time, declined: payment.status == .failed ? Self.shown(declined) : nil,
                method: payment.method.map { Self.shown($0.rawValue.replacing("_", with: " ")) })
            begin(
                second: TransactionID.seconds(in: payment.transactionID, orderID: payment.orderID), before: time)
        case .shipped(let shipment, _):
            number = shipment.orderID
            customer = customer ?? Self.shown(shipment.customerEmail)
            self.shipment = Shipment(
                time: time, carrier: Self.shown(shipment.carrier.rawValue),
                trackingNumber: Self.shown(shipment.trackingNumber))
            begin(
                second: TrackingNumber.seconds(in: shipment.trackingNumber, orderID: shipment.orderID), before: time)
        case .notified(let notification, _):
            number = notification.orderID
            customer = customer ?? Self.shown(notification.recipient)
            switch notification.kind {
            case .orderConfirmation: orderNotice = time
            case .paymentSuccess, .paymentFailed: paymentNotice = time
            case .shipmentNotification: shipmentNotice = time
            }
        case .deadLettered(let queue, _, _):
            putAside = queue
        case .retried, .redelivered:
            break
        }
    }

    private mutating func know(_ number: Int64, _ customer: String, _ amount: Money, _ currency: String) {
        self.number = number
        self.customer = Self.shown(customer)
        total = (currency == "EUR" ? "€" : PrintableText.of(currency, limit: 12) + " ") + amount.text
    }

    /// What a number of ours tells of the order's time, where nothing better is known. A second that lies ahead tells
    /// of a clock, not of an order.
    private mutating func begin(second: Int64?, before time: Timestamp) {
        guard beginning == nil, let second else { return }
        let moment = Timestamp(clampingSeconds: second)
        if moment <= time { beginning = Beginning(time: moment, isRough: true) }
    }

    private static func shown(_ text: String) -> String { PrintableText.of(text, limit: longestText) }
}
