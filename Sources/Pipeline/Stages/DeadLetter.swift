package import ActorBus

/// Why a message went to a dead-letter queue.
package struct DeadLetter: Sendable, Equatable {
    /// The classes of the header `x-error`.
    package enum Fault: String, Sendable, CaseIterable {
        /// No repetition will make it readable.
        case malformed
        /// Readable, and refused by what it asks for.
        case rejected
        /// Tried as often as is allowed.
        case exhausted
    }

    package let fault: Fault
    /// One line for a person.
    package let reason: String
    /// How often it was tried.
    package let attempts: Int64
    package let exchange: String
    package let queue: PipelineQueue
    package let failedAt: Timestamp

    package init(
        _ fault: Fault, reason: String, attempts: Int64, exchange: String, queue: PipelineQueue, failedAt: Timestamp
    ) {
        self.fault = fault
        self.reason = PrintableText.of(reason, limit: 500)
        self.attempts = attempts
        self.exchange = exchange
        self.queue = queue
        self.failedAt = failedAt
    }

    /// The message for the dead-letter queue: body and properties as they came, and the headers that say why.
    ///
    /// Four properties would do harm there and move to headers of their own (`x-original-…`): an expiration would
    /// destroy the message, a user id that is not ours makes the broker refuse it, and CC and BCC would send it to
    /// further queues, the one it came from among them. It is persistent, whatever it was.
    package func message(of original: Message) -> Message {
        var message = original
        moveAside(&message)
        for (name, value) in headers where message.properties.headers[name] == nil || !isKept(name) {
            message.properties.headers[name] = value
        }
        message.properties.deliveryMode = .persistent
        return message
    }

    /// The same without the headers that the message came with: for one whose headers leave no room for ours, since a
    /// message's headers have to fit into one frame.
    package func messageWithoutOriginalHeaders(of original: Message) -> Message {
        var bare = original
        bare.properties.headers = ["x-headers-dropped": .string("they left no room for those of the dead letter")]
        return message(of: bare)
    }

    /// The message as it goes back to its queue: without why it failed and how often, so that it gets all its attempts
    /// again. When it first failed and the exchange that it once came from stay, for the case that it fails again.
    package static func replayed(_ letter: Message) -> Message {
        var message = letter
        for name in [Header.reason, Header.error, Header.attempts, Header.originalQueue, Header.deliveryCount] {
            message.properties.headers[name] = nil
        }
        return message
    }

    /// The names of the headers that a dead letter gains.
    enum Header {
        static let reason = "x-reason"
        static let error = "x-error"
        static let attempts = "x-attempts"
        static let originalExchange = "x-original-exchange"
        static let originalQueue = "x-original-queue"
        static let firstFailedAt = "x-first-failed-at"
        /// The broker's: how often a quorum queue has handed the letter out.
        static let deliveryCount = "x-delivery-count"
    }

    /// Whether a header that is there already says more than ours: of a message that was replayed and failed again, when
    /// it first failed, and where it came from before the default exchange.
    private func isKept(_ name: String) -> Bool {
        name == Header.firstFailedAt || (name == Header.originalExchange && exchange.isEmpty)
    }

    private var headers: FieldTable {
        [
            Header.reason: .string(reason),
            Header.error: .string(fault.rawValue),
            Header.attempts: .int64(attempts),
            Header.originalExchange: .string(exchange),
            Header.originalQueue: .string(queue.rawValue),
            Header.firstFailedAt: .string(failedAt.text),
        ]
    }

    private func moveAside(_ message: inout Message) {
        if let expiration = message.properties.expiration {
            message.properties.expiration = nil
            message.properties.headers["x-original-expiration"] = .string(expiration)
        }
        if let userID = message.properties.userID {
            message.properties.userID = nil
            message.properties.headers["x-original-user-id"] = .string(userID)
        }
        for name in ["CC", "BCC"] {
            if let value = message.properties.headers.removeValue(forKey: name) {
                message.properties.headers["x-original-\(name.lowercased())"] = value
            }
        }
    }
}
