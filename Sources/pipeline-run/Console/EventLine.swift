import Pipeline

/// An event as a person reads it.
struct EventLine: Sendable, Equatable {
    /// SGR parameters, ECMA-48 section 8.3.117.
    enum Color: String, Sendable {
        case cyan = "36"
        case green = "32"
        case red = "31"
        case yellow = "33"
        case magenta = "35"
        case alarm = "1;31"
        case faint = "2"
    }

    let symbol: String
    /// The order's number; nil where it is not known.
    let orderID: Int64?
    let word: String
    let detail: String
    let color: Color

    /// Nil for what is not worth a line.
    init?(_ event: OrderEvent) {
        switch event {
        case .placing, .redelivered:
            return nil
        case .ordered(let order, _):
            let items = order.items.count == 1 ? "1 item" : "\(order.items.count) items"
            self.init(
                "●", order.orderID, "ordered",
                "\(items), \(Self.money(order.totalAmount, order.currency)), \(Self.shown(order.customerEmail))", .cyan)
        case .paid(let payment, _) where payment.status == .success:
            let method = payment.method.map { " by \(Self.shown($0.rawValue).replacing("_", with: " "))" } ?? ""
            self.init("✓", payment.orderID, "paid", Self.money(payment.amount, payment.currency) + method, .green)
        case .paid(let payment, _):
            self.init(
                "✗", payment.orderID, "declined", Self.shown(payment.failureReason?.rawValue ?? "no reason given"), .red
            )
        case .shipped(let shipment, _):
            self.init(
                "▶", shipment.orderID, "shipped",
                "\(Self.shown(shipment.carrier.rawValue)) \(Self.shown(shipment.trackingNumber)), "
                    + "there by \(shipment.estimatedDelivery.text.prefix(10))", .yellow)
        case .notified(let notification, _):
            self.init("✉", notification.orderID, "notified", notification.text, .magenta)
        case .retried(let queue, _, _, let delay, let reason):
            self.init("↻", nil, "retried", "\(queue.rawValue) again in \(delay) s: \(Self.shown(reason, 200))", .yellow)
        case .deadLettered(let queue, _, let reason):
            self.init("☠", nil, "put aside", "\(queue.deadLetterQueue): \(reason)", .alarm)
        }
    }

    private init(_ symbol: String, _ orderID: Int64?, _ word: String, _ detail: String, _ color: Color) {
        self.symbol = symbol
        self.orderID = orderID
        self.word = word
        self.detail = detail
        self.color = color
    }

    /// One line without its line break.
    func text(at time: Timestamp, colors: Bool) -> String {
        // The date is left out: who looks at a terminal knows it.
        let clock = String(time.text.dropFirst(11).prefix(8))
        let number = orderID.map { "#\($0)" } ?? ""
        let head = "\(symbol) \(Self.padded(number, 7)) \(Self.padded(word, 9))"
        guard colors else { return "\(clock) \(head) \(detail)" }
        return "\u{1b}[\(Color.faint.rawValue)m\(clock)\u{1b}[0m \u{1b}[\(color.rawValue)m\(head)\u{1b}[0m \(detail)"
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    /// What strangers wrote must not reach a terminal as it came.
    private static func shown(_ text: String, _ limit: Int = 60) -> String { PrintableText.of(text, limit: limit) }

    private static func money(_ amount: Money, _ currency: String) -> String {
        (currency == "EUR" ? "€" : shown(currency) + " ") + amount.text
    }
}
