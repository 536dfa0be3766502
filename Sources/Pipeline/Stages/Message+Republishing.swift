import ActorBus

extension Message {
    /// The message made fit to be published again, to a queue by its name: persistent, and without what would do harm on
    /// the way. What is taken out of the properties moves to headers of its own (`x-original-…`).
    ///
    /// An expiration would destroy the message there; a user id that is not ours, and a reply to a consumer that is not
    /// ours (`amq.rabbitmq.reply-to`), make the broker refuse it; CC and BCC would send it to further queues, the one it
    /// came from among them.
    func fitToBeRepublished() -> Message {
        var message = self
        message.moveAside("expiration", \.expiration)
        message.moveAside("user-id", \.userID)
        if message.properties.replyTo?.hasPrefix("amq.rabbitmq.reply-to") == true {
            message.moveAside("reply-to", \.replyTo)
        }
        for name in ["CC", "BCC"] {
            if let value = message.properties.headers.removeValue(forKey: name) {
                message.properties.headers["x-original-\(name.lowercased())"] = value
            }
        }
        message.properties.deliveryMode = .persistent
        return message
    }

    /// The same with every property moved aside on which a broker acts.
    func withoutActiveProperties() -> Message {
        var message = fitToBeRepublished()
        message.moveAside("reply-to", \.replyTo)
        message.moveAside("content-encoding", \.contentEncoding)
        if let priority = message.properties.priority {
            message.properties.priority = nil
            message.properties.headers["x-original-priority"] = .int64(Int64(priority))
        }
        return message
    }

    /// Takes out what brokers have noted of moving the message to where it was, and how often they delivered it.
    ///
    /// RabbitMQ before 4.0 reads these notes in whatever it moves next, and takes a message that was in a queue before
    /// for one that goes in circles: it is destroyed.
    func withoutBrokersNotes() -> Message {
        var message = self
        for name in Self.brokersNotes { message.properties.headers.removeValue(forKey: name) }
        return message
    }

    private static let brokersNotes = [
        "x-death", "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason", "x-last-death-exchange",
        "x-last-death-queue", "x-last-death-reason", "x-delivery-count",
    ]

    private mutating func moveAside(_ name: String, _ property: WritableKeyPath<MessageProperties, String?>) {
        guard let value = properties[keyPath: property] else { return }
        properties[keyPath: property] = nil
        properties.headers["x-original-\(name)"] = .string(value)
    }
}
