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

    /// The class of the failure; nil where no header says one.
    package var error: String? { text(of: DeadLetter.Header.error) }
    package var reason: String? { headersFault ?? text(of: DeadLetter.Header.reason) }
    package var attempts: Int64? { message.properties.headers[DeadLetter.Header.attempts]?.integer }
    package var originalExchange: String? { text(of: DeadLetter.Header.originalExchange) }
    package var firstFailedAt: Timestamp? { text(of: DeadLetter.Header.firstFailedAt).flatMap { Timestamp($0) } }
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
        // A body over the contract's limit was dead-lettered for its size; to read it would cost more than it tells.
        guard message.body.count <= 1 << 20, case .object(let fields)? = try? JSONReader.read(message.body),
            case .number(let number)? = try? fields["order_id"]
        else { return nil }
        return number.wholeNumber
    }

    /// The body as text; nil when it is no UTF-8.
    package var text: String? { String(validating: message.body, as: UTF8.self) }

    private func text(of header: String) -> String? { message.properties.headers[header]?.text }
}
