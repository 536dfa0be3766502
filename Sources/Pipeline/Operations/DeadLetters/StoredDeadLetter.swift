package import ActorBus

/// A message of a dead-letter queue as it is shown and chosen: what its headers say, read leniently, since anyone may
/// put anything there.
package struct StoredDeadLetter: Sendable, Equatable {
    /// The main queue beside which it stands.
    package let queue: PipelineQueue
    package let message: Message
    /// Why the headers could not be read; nil when they were.
    package let headersFault: String?

    package init(queue: PipelineQueue, message: Message, headersFault: String? = nil) {
        self.queue = queue
        self.message = message
        self.headersFault = headersFault
    }

    package init(_ delivery: Delivery, of queue: PipelineQueue) {
        self.init(queue: queue, message: delivery.message, headersFault: delivery.headersFault)
    }

    /// The class of the failure, or the broker's reason where the broker itself dead-lettered the message; nil where no
    /// header says one.
    package var error: String? { text(of: DeadLetter.Header.error) ?? death?.reason }
    package var reason: String? {
        headersFault ?? text(of: DeadLetter.Header.reason)
            ?? death.map { "dead-lettered by the broker out of '\($0.queue)': \($0.reason)" }
    }
    package var attempts: Int64? { message.properties.headers[DeadLetter.Header.attempts]?.integer }
    package var originalExchange: String? { text(of: DeadLetter.Header.originalExchange) ?? death?.exchange }
    package var firstFailedAt: Timestamp? {
        text(of: DeadLetter.Header.firstFailedAt).flatMap { Timestamp($0) } ?? death?.time
    }
    /// Whether it is a note of a message that could not be kept whole; such a letter has nothing to replay.
    package var isNote: Bool { text(of: "x-buried-as") == "note" }
    package var correlationID: String? { message.properties.correlationID }

    /// The order's identity, as the stage that failed has it; nil where neither properties nor body tell it.
    package var identity: OrderIdentity? {
        if let stated = message.properties.orderIdentity { return stated }
        let body = message.body
        switch queue.source {
        case .orders: return (try? Order(json: body))?.derivedIdentity
        case .payments: return (try? Payment(json: body))?.derivedIdentity
        case .shipments: return (try? Shipment(json: body))?.derivedIdentity
        }
    }

    /// The order's number, where the body can be read and has one.
    package var orderID: Int64? {
        // A body over 1 MiB was dead-lettered for its size; to read it would cost more than it tells.
        guard message.body.count <= 1 << 20, case .object(let fields)? = try? JSONReader.read(message.body),
            case .number(let number)? = try? fields["order_id"]
        else { return nil }
        return number.wholeNumber
    }

    /// The body as text; nil when it is no UTF-8, or not held in memory.
    package var text: String? { message.largeBody == nil ? String(validating: message.body, as: UTF8.self) : nil }

    /// The beginning of the body, at most so many bytes, for a person to look at. Throws ``AMQPError`` when it was not
    /// kept.
    package func beginning(_ count: Int) throws(AMQPError) -> [UInt8] {
        guard let large = message.largeBody else { return Array(message.body.prefix(count)) }
        return try large.read(at: 0, count: count)
    }

    /// The latest death in the broker's `x-death` (RabbitMQ, "Dead Letter Exchanges").
    private var death: (queue: String, reason: String, exchange: String?, time: Timestamp?)? {
        guard case .array(let deaths)? = message.properties.headers["x-death"], case .table(let latest)? = deaths.first,
            let queue = latest["queue"]?.text, let reason = latest["reason"]?.text
        else { return nil }
        var time: Timestamp?
        if case .timestamp(let seconds)? = latest["time"] {
            time = Timestamp(clampingSeconds: Int64(clamping: seconds))
        }
        return (queue, reason, latest["exchange"]?.text, time)
    }

    private func text(of header: String) -> String? { message.properties.headers[header]?.text }
}
