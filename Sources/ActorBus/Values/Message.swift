/// What is published and delivered: a body of any bytes and its properties.
public struct Message: Sendable, Equatable {
    public var body: [UInt8]
    public var properties: MessageProperties

    public init(body: [UInt8], properties: MessageProperties = MessageProperties()) {
        self.body = body
        self.properties = properties
    }

    /// A message whose body is the UTF-8 of `text`.
    public init(text: String, properties: MessageProperties = MessageProperties()) {
        self.init(body: Array(text.utf8), properties: properties)
    }
}

/// The properties of a message (AMQP 0-9-1 section 4.2.6.1, class `basic`).
///
/// Texts have at most 255 bytes of UTF-8; a longer one makes the publish throw ``AMQPError/Code/invalidMessage`` before
/// a byte of it is sent.
public struct MessageProperties: Sendable, Equatable {
    /// Whether a durable queue writes the message to disk.
    public enum DeliveryMode: UInt8, Sendable {
        case transient = 1
        case persistent = 2
    }

    public var contentType: String?
    public var contentEncoding: String?
    public var headers: FieldTable
    /// Persistent unless said otherwise; nil leaves the property out, which brokers read as transient.
    public var deliveryMode: DeliveryMode?
    /// 0 to 9, for priority queues up to 255.
    public var priority: UInt8?
    public var correlationID: String?
    public var replyTo: String?
    /// Milliseconds after which the message expires, as decimal text, as RabbitMQ wants it.
    public var expiration: String?
    public var messageID: String?
    /// Seconds since 1970.
    public var timestamp: UInt64?
    public var type: String?
    /// RabbitMQ refuses a user that is not the connection's own.
    public var userID: String?
    public var appID: String?

    public init(
        contentType: String? = nil,
        contentEncoding: String? = nil,
        headers: FieldTable = [:],
        deliveryMode: DeliveryMode? = .persistent,
        priority: UInt8? = nil,
        correlationID: String? = nil,
        replyTo: String? = nil,
        expiration: String? = nil,
        messageID: String? = nil,
        timestamp: UInt64? = nil,
        type: String? = nil,
        userID: String? = nil,
        appID: String? = nil
    ) {
        self.contentType = contentType
        self.contentEncoding = contentEncoding
        self.headers = headers
        self.deliveryMode = deliveryMode
        self.priority = priority
        self.correlationID = correlationID
        self.replyTo = replyTo
        self.expiration = expiration
        self.messageID = messageID
        self.timestamp = timestamp
        self.type = type
        self.userID = userID
        self.appID = appID
    }
}
