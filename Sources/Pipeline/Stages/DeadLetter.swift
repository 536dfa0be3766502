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

    /// The message for the dead-letter queue, in one of the forms that it can have there.
    package func message(of original: Message, as form: BurialForm = .whole) -> Message {
        var message: Message
        switch form {
        case .whole:
            message = original.fitToBeRepublished()
        case .withoutProperties:
            message = original.withoutActiveProperties()
        case .withoutHeaders:
            message = original
            message.properties.headers = [:]
            message = message.withoutActiveProperties()
            message.properties.headers["x-headers-dropped"] = "they left no room for those of the dead letter"
        case .note, .shortNote:
            message = note(of: original, isShort: form == .shortNote)
        }
        // A stranger's header of that name would keep its message from being replayed.
        message.properties.headers[Header.buriedAs] = form == .note || form == .shortNote ? "note" : nil
        message.properties.headers[FailureHistory.Header.retries] = nil
        let history = FailureHistory(of: original.properties.headers, deliveredFrom: exchange)
        for (name, value) in headers(history) { message.properties.headers[name] = value }
        return message
    }

    /// The message as it goes back to its queue: without why it failed and how often, so that it gets all its attempts
    /// again. When it first failed and the exchange that it once came from stay, for the case that it fails again.
    package static func replayed(_ letter: Message) -> Message {
        var message = letter.fitToBeMoved()
        for name in [
            Header.reason, Header.error, FailureHistory.Header.attempts, FailureHistory.Header.retries,
            Header.originalQueue,
        ] {
            message.properties.headers[name] = nil
        }
        return message
    }

    /// The names of the headers that a dead letter gains, beside those of its ``FailureHistory``.
    enum Header {
        static let reason = "x-reason"
        static let error = "x-error"
        static let attempts = FailureHistory.Header.attempts
        static let originalExchange = FailureHistory.Header.originalExchange
        static let originalQueue = "x-original-queue"
        static let firstFailedAt = FailureHistory.Header.firstFailedAt
        /// Says that the letter stands in for its message, which could not be kept.
        static let buriedAs = "x-buried-as"
    }

    /// Of a message that failed before, when it first did and where it came from before the default exchange say more
    /// than its last delivery.
    private func headers(_ history: FailureHistory) -> FieldTable {
        [
            Header.reason: .string(reason),
            Header.error: .string(fault.rawValue),
            Header.attempts: .int64(attempts),
            Header.originalExchange: .string(exchange.isEmpty ? history.originalExchange ?? "" : exchange),
            Header.originalQueue: .string(queue.rawValue),
            Header.firstFailedAt: .string((history.firstFailedAt ?? failedAt).text),
        ]
    }

    // MARK: Notes

    /// What is left of a message that no broker takes: enough to know it by, and to ask its sender for it.
    private func note(of original: Message, isShort: Bool) -> Message {
        let properties = original.properties
        var json = JSONWriter(capacity: 1024)
        json.beginObject()
        json.name("reason")
        json.string(reason)
        json.name("size")
        json.whole(original.bodySize)
        json.name("sha256")
        json.string(original.bodyDigest)
        if !isShort {
            json.name("properties")
            json.properties(properties)
            json.name("headers")
            json.table(properties.headers)
        }
        json.endObject()
        return Message(
            body: json.bytes,
            properties: MessageProperties(
                contentType: "application/json", deliveryMode: .persistent,
                correlationID: isShort ? nil : properties.correlationID,
                messageID: isShort ? nil : properties.messageID,
                timestamp: properties.timestamp, type: isShort ? nil : properties.type,
                appID: isShort ? nil : properties.appID))
    }
}

extension JSONWriter {
    /// Those that are set, but for the headers.
    fileprivate mutating func properties(_ properties: MessageProperties) {
        beginObject()
        for (name, text) in [
            ("content_type", properties.contentType), ("content_encoding", properties.contentEncoding),
            ("correlation_id", properties.correlationID), ("reply_to", properties.replyTo),
            ("expiration", properties.expiration), ("message_id", properties.messageID), ("type", properties.type),
            ("user_id", properties.userID), ("app_id", properties.appID),
        ] {
            guard let text else { continue }
            member(name)
            string(text)
        }
        if let mode = properties.deliveryMode {
            name("delivery_mode")
            whole(Int64(mode.rawValue))
        }
        if let priority = properties.priority {
            name("priority")
            whole(Int64(priority))
        }
        if let timestamp = properties.timestamp {
            name("timestamp")
            whole(timestamp)
        }
        endObject()
    }
}
