import ActorBus

extension Message {
    /// The message made fit to be published again, to a queue by its name: persistent, and without what would do harm on
    /// the way. What is taken out of the properties moves to headers of its own (`x-original-…`).
    ///
    /// An expiration would destroy the message there; a user id that is not ours, and a reply to a consumer that is not
    /// ours (`amq.rabbitmq.reply-to`), make the broker refuse it; CC and BCC would send it to further queues, the one it
    /// came from among them. How often a broker delivered it is taken out, since that begins anew.
    func fitToBeRepublished() -> Message {
        var message = self
        message.remove(["x-delivery-count", "x-acquired-count"])
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

    /// The same for a queue that hands the message on: also without what brokers noted when they dead-lettered it.
    ///
    /// RabbitMQ before 4.0 reads these notes in whatever it moves next, and takes a message that was in a queue before
    /// for one that goes in circles: it is destroyed. In a dead-letter queue they stay, since they tell why it is there.
    func fitToBeMoved() -> Message {
        var message = fitToBeRepublished()
        message.remove([
            "x-death", "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason",
            "x-last-death-exchange", "x-last-death-queue", "x-last-death-reason",
        ])
        return message
    }

    /// Fit to be published again, with every property moved aside on which a broker acts.
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

    private mutating func remove(_ headers: [String]) {
        for name in headers { properties.headers.removeValue(forKey: name) }
    }

    private mutating func moveAside(_ name: String, _ property: WritableKeyPath<MessageProperties, String?>) {
        guard let value = properties[keyPath: property] else { return }
        properties[keyPath: property] = nil
        properties.headers["x-original-\(name)"] = .string(value)
    }
}
