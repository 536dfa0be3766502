internal import ActorBus

/// A message as the broker holds it.
struct BrokerMessage {
    /// Its name within this broker, in the order of publishing; a dead letter keeps the name of what died.
    var number: UInt64
    /// Where it was published last, by a client or by a dead-lettering queue.
    var exchange: String
    /// The routing key, and those of the headers `CC` and `BCC`.
    var routingKeys: [String]
    /// How many of them, at the end, are of the header `BCC`, which nobody is told of.
    var blindKeyCount = 0
    var properties: MessageProperties
    /// The properties as the publisher wrote them, which are relayed untouched; nil once the broker has changed them.
    var encodedProperties: [UInt8]?
    var body: [UInt8]
    /// Whether a header was taken out, which leaves a table even where it was the only one.
    var hasLostHeader = false
    /// What the broker itself remembers of its deaths (``RabbitMQVersion/keepsDeathsItself``), the last first.
    var deaths: [Death] = []
    var firstDeath: Death?
    /// How often its delivery had failed in the queue where it died, where the broker passes that on.
    var failures: Int64 = 0

    var routingKey: String { routingKeys.first ?? "" }
    /// Milliseconds; nil when it does not expire by itself. A valid number was made sure of when it was published.
    var timeToLive: Int64? { properties.expiration.flatMap { Int64($0) } }

    struct Death {
        var queue: String
        var reason: DeathReason
        var count: Int64
        /// Seconds since 1970.
        var time: UInt64
        var exchange: String
        var routingKeys: [String]
        var originalExpiration: String?

        var table: FieldValue {
            var table: FieldTable = [
                "count": .int64(count), "reason": .string(reason.rawValue), "queue": .string(queue),
                "time": .timestamp(time), "exchange": .string(exchange),
                "routing-keys": .array(routingKeys.map { .string($0) }),
            ]
            if let originalExpiration { table["original-expiration"] = .string(originalExpiration) }
            return .table(table)
        }
    }

    /// The content for a delivery, with the headers that the broker adds.
    func content(with counts: FieldTable = [:]) -> Content {
        var content = Content(properties, encodedProperties, body, keepsEmptyHeaders: hasLostHeader)
        guard !counts.isEmpty else { return content }
        for (name, value) in counts { content.properties.headers[name] = value }
        content.encodedProperties = nil
        return content
    }
}

/// Why a message left its queue without being settled well.
enum DeathReason: String {
    case expired, rejected, maxlen
    case deliveryLimit = "delivery_limit"
}
