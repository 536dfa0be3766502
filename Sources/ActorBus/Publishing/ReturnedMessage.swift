/// A message that the broker has sent back, to be recognized among those that were published.
///
/// Bodies are compared last, and large ones by their digests, of which each is computed once.
final class ReturnedMessage {
    private let message: Message
    private let exchange: String
    private let routingKey: String
    private lazy var digest: String = message.bodyDigest

    init(_ message: Message, exchange: String, routingKey: String) {
        self.message = message
        self.exchange = exchange
        self.routingKey = routingKey
    }

    /// Whether `request` is this message: with the same properties, or with what a broker may have changed in them.
    func isEqual(to request: PublishRequest, exactly: Bool) -> Bool {
        guard request.returned == nil, request.mandatory, request.message.bodySize == message.bodySize,
            request.exchange.hasSameBytes(as: exchange), request.routingKey.hasSameBytes(as: routingKey),
            exactly
                ? request.message.properties == message.properties
                : request.message.properties.isRecognizable(in: message.properties)
        else { return false }
        if case .bytes(let bytes) = message.content, case .bytes(let sent) = request.message.content {
            return bytes == sent
        }
        return request.bodyDigest == digest
    }
}

extension Message {
    /// The SHA-256 digest of the body, as 64 hexadecimal digits; computed where the bytes are in memory.
    package var bodyDigest: String {
        switch content {
        case .bytes(let bytes): SHA256.digest(of: bytes)
        case .large(let body): body.sha256
        }
    }
}
