/// The properties of a message (AMQP 0-9-1 section 4.2.6.1, class `basic`).
///
/// Texts have at most 255 bytes of UTF-8; a longer one makes the publish throw ``AMQPError/Code/invalidMessage`` before
/// a byte of it is sent.
///
/// A value in one word, shared until one of its copies is changed: thirteen fields would be copied at every step of a
/// message's way.
public struct MessageProperties: Sendable, Equatable {
    /// Whether a durable queue writes the message to disk.
    public enum DeliveryMode: UInt8, Sendable {
        case transient = 1
        case persistent = 2
    }

    private var fields: SharedFields

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
        fields = SharedFields(
            Fields(
                contentType: contentType, contentEncoding: contentEncoding, headers: headers,
                deliveryMode: deliveryMode, priority: priority, correlationID: correlationID, replyTo: replyTo,
                expiration: expiration, messageID: messageID, timestamp: timestamp, type: type, userID: userID,
                appID: appID))
    }

    public var contentType: String? {
        get { fields.value.contentType }
        set { unshared.value.contentType = newValue }
    }

    public var contentEncoding: String? {
        get { fields.value.contentEncoding }
        set { unshared.value.contentEncoding = newValue }
    }

    public var headers: FieldTable {
        get { fields.value.headers }
        set { unshared.value.headers = newValue }
    }

    /// Persistent unless said otherwise; nil leaves the property out, which brokers read as transient.
    public var deliveryMode: DeliveryMode? {
        get { fields.value.deliveryMode }
        set { unshared.value.deliveryMode = newValue }
    }

    /// 0 to 9, for priority queues up to 255.
    public var priority: UInt8? {
        get { fields.value.priority }
        set { unshared.value.priority = newValue }
    }

    public var correlationID: String? {
        get { fields.value.correlationID }
        set { unshared.value.correlationID = newValue }
    }

    public var replyTo: String? {
        get { fields.value.replyTo }
        set { unshared.value.replyTo = newValue }
    }

    /// Milliseconds after which the message expires, as decimal text, as RabbitMQ wants it.
    public var expiration: String? {
        get { fields.value.expiration }
        set { unshared.value.expiration = newValue }
    }

    public var messageID: String? {
        get { fields.value.messageID }
        set { unshared.value.messageID = newValue }
    }

    /// Seconds since 1970.
    public var timestamp: UInt64? {
        get { fields.value.timestamp }
        set { unshared.value.timestamp = newValue }
    }

    public var type: String? {
        get { fields.value.type }
        set { unshared.value.type = newValue }
    }

    /// RabbitMQ refuses a user that is not the connection's own.
    public var userID: String? {
        get { fields.value.userID }
        set { unshared.value.userID = newValue }
    }

    public var appID: String? {
        get { fields.value.appID }
        set { unshared.value.appID = newValue }
    }

    public static func == (left: MessageProperties, right: MessageProperties) -> Bool {
        left.fields === right.fields || left.fields.value == right.fields.value
    }

    init(_ fields: Fields) { self.fields = SharedFields(fields) }

    /// All of them at once.
    var all: Fields { fields.value }

    private var unshared: SharedFields {
        mutating get {
            if !isKnownUniquelyReferenced(&fields) { fields = SharedFields(fields.value) }
            return fields
        }
    }

    struct Fields: Sendable {
        var contentType: String?
        var contentEncoding: String?
        var headers: FieldTable = [:]
        var deliveryMode: DeliveryMode?
        var priority: UInt8?
        var correlationID: String?
        var replyTo: String?
        var expiration: String?
        var messageID: String?
        var timestamp: UInt64?
        var type: String?
        var userID: String?
        var appID: String?
    }

    /// What a message can be known by when it comes back: all but what a broker may add or change on its way.
    func isRecognizable(in returned: MessageProperties) -> Bool {
        let (sent, back) = (all, returned.all)
        return sent.hasSameTexts(as: back)
            && sent.headers.allSatisfy { name, value in name == "BCC" || back.headers[name] == value }
    }

    /// Changed only by its one owner, while nobody else has it.
    private final class SharedFields: @unchecked Sendable {
        // Unchecked: `unshared` makes a copy before a change, unless this is the only reference.
        var value: Fields

        init(_ value: Fields) { self.value = value }
    }
}

extension MessageProperties.Fields: Equatable {
    /// Texts are compared byte for byte.
    static func == (left: Self, right: Self) -> Bool {
        left.hasSameTexts(as: right) && left.expiration.hasSameBytes(as: right.expiration)
            && left.deliveryMode == right.deliveryMode && left.priority == right.priority
            && left.timestamp == right.timestamp && left.headers == right.headers
    }

    fileprivate func hasSameTexts(as other: Self) -> Bool {
        messageID.hasSameBytes(as: other.messageID) && correlationID.hasSameBytes(as: other.correlationID)
            && type.hasSameBytes(as: other.type) && contentType.hasSameBytes(as: other.contentType)
            && contentEncoding.hasSameBytes(as: other.contentEncoding) && replyTo.hasSameBytes(as: other.replyTo)
            && userID.hasSameBytes(as: other.userID) && appID.hasSameBytes(as: other.appID)
    }
}

extension MessageProperties: CustomStringConvertible {
    /// The properties that are set; of the headers, their names.
    public var description: String {
        var parts: [String] = []
        func add(_ name: String, _ value: String?) { if let value { parts.append("\(name): \(value)") } }
        add("contentType", contentType)
        add("contentEncoding", contentEncoding)
        if !headers.isEmpty { add("headers", headers.keys.sorted().joined(separator: " ")) }
        add("deliveryMode", deliveryMode.map { $0 == .persistent ? "persistent" : "transient" })
        add("priority", priority.map { "\($0)" })
        add("correlationID", correlationID)
        add("replyTo", replyTo)
        add("expiration", expiration)
        add("messageID", messageID)
        add("timestamp", timestamp.map { "\($0)" })
        add("type", type)
        add("userID", userID)
        add("appID", appID)
        return "MessageProperties(" + parts.joined(separator: ", ") + ")"
    }
}
