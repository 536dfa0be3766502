@testable import Pipeline

/// The events of one order, as the services tell them.
struct OrderStory {
    let order: Order
    let identity: OrderIdentity

    init(
        _ number: Int64, origin: String = "run", customer: String = "alice@example.com", currency: String = "EUR",
        at seconds: Int64 = 1_767_781_800
    ) {
        order = Order(
            orderID: number, customerEmail: customer,
            items: [Order.Item(productID: 1, name: "Mouse", price: .zero, quantity: 1)],
            totalAmount: Money(cents: 129_999)!, currency: currency, timestamp: Timestamp(clampingSeconds: seconds))
        identity = OrderIdentity(origin: origin, orderID: number)
    }

    var placing: OrderEvent { .placing(identity) }
    var ordered: OrderEvent { .ordered(order, identity) }
    var paid: OrderEvent { .paid(payment(.charged), identity) }
    var shipped: OrderEvent { .shipped(shipment, identity) }

    func declined(_ reason: FailureReason) -> OrderEvent { .paid(payment(.declined(reason)), identity) }

    var noticed: [OrderEvent] {
        [
            .notified(Notification(of: order), identity), .notified(Notification(of: payment(.charged)), identity),
            .notified(Notification(of: shipment), identity),
        ]
    }

    private var shipment: Shipment {
        Shipment(of: payment(.charged), booking: Booking(carrier: .dhl, deliveryDays: 2), at: order.timestamp)
    }

    private func payment(_ outcome: ChargeAnswer.Outcome) -> Payment {
        let answer = ChargeAnswer(outcome: outcome, method: .creditCard, processingTime: ProcessingTime(hundredths: 1))
        return Payment(of: order, answer: answer, at: order.timestamp)
    }
}

extension Timestamp {
    /// So long after the second at which the stories' orders are made.
    static func after(_ milliseconds: Int64) -> Timestamp { Timestamp(clamping: 1_767_781_800_000 + milliseconds) }
}
