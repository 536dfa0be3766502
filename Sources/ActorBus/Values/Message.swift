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
