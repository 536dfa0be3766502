/// What is published and delivered: a body of any bytes and its properties.
public struct Message: Sendable, Equatable {
    /// One word, whichever it is.
    enum Body: Sendable, Equatable {
        case bytes([UInt8])
        case large(LargeBody)
    }

    var content: Body
    public var properties: MessageProperties

    public init(body: [UInt8], properties: MessageProperties = MessageProperties()) {
        content = .bytes(body)
        self.properties = properties
    }

    /// A message whose body is the UTF-8 of `text`.
    public init(text: String, properties: MessageProperties = MessageProperties()) {
        self.init(body: Array(text.utf8), properties: properties)
    }

    /// A message with a body that is not held in memory, as it was delivered.
    public init(largeBody: LargeBody, properties: MessageProperties = MessageProperties()) {
        content = .large(largeBody)
        self.properties = properties
    }

    init(_ content: Body, _ properties: MessageProperties) {
        self.content = content
        self.properties = properties
    }

    /// The bytes; none where the message has a ``largeBody``, which the setter replaces.
    public var body: [UInt8] {
        get { if case .bytes(let bytes) = content { bytes } else { [] } }
        set { content = .bytes(newValue) }
    }

    /// The body that is not held in memory; nil where ``body`` has the bytes.
    public var largeBody: LargeBody? { if case .large(let body) = content { body } else { nil } }

    /// How many bytes the body has, in memory or not.
    public var bodySize: Int64 {
        switch content {
        case .bytes(let bytes): Int64(bytes.count)
        case .large(let body): body.size
        }
    }
}
