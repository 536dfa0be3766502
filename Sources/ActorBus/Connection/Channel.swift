/// What a channel's traffic means to whoever uses it. Called on the connection's thread.
protocol ChannelUser: AnyObject {
    /// False when the delivery's tag is not the next one.
    func delivered(_ header: IncomingMethod.DeliverHeader, _ message: Message, headersFault: String?) -> Bool
    func returned(_ message: Message, exchange: String, routingKey: String, reason: AMQPError)
    /// False when the broker answered a message that was never published.
    func answered(_ deliveryTag: UInt64, multiple: Bool, confirmed: Bool) -> Bool
    func cancelledByBroker()
    /// The broker has closed the channel, or it went down with its connection.
    func channelClosed(_ error: AMQPError)
}

/// One channel of a live connection: the replies it waits for, and the message that is being put together from its
/// frames. Touched by the connection's thread alone.
final class Channel {
    typealias Reply = CheckedContinuation<IncomingMethod, any Error>

    private struct Awaited {
        let reply: Reply
        let deadline: Instant
    }

    /// A message of which the rest is still to come.
    private struct Content {
        enum Purpose {
            case delivery(IncomingMethod.DeliverHeader)
            case `return`(replyCode: UInt16, replyText: String, exchange: String, routingKey: String)
        }

        let purpose: Purpose
        var properties: MessageProperties?
        var headersFault: String?
        var bodySize = 0
        var body: [UInt8] = []
    }

    let number: UInt16
    weak var user: (any ChannelUser)?
    /// Set once it is closed; every later call throws it.
    private(set) var closed: AMQPError?
    /// Whether our channel.close is under way.
    var isClosing = false
    private var awaited = Ring<Awaited>()
    private var content: Content?

    init(number: UInt16) { self.number = number }

    var nextDeadline: Instant? { (0..<awaited.count).map { awaited[$0].deadline }.min() }

    /// Adds a waiter for the next reply; replies come in the order of the calls.
    func await(_ reply: Reply, deadline: Instant) { awaited.append(Awaited(reply: reply, deadline: deadline)) }

    /// Handles a method that belongs to the channel. Throws ``AMQPError/Code/protocolViolation``.
    func receive(_ method: IncomingMethod) throws(AMQPError) {
        guard content == nil else { throw AMQPError(.protocolViolation, "a method in the middle of a message") }
        switch method {
        case .basicDeliver(let header): content = Content(purpose: .delivery(header))
        case .basicReturn(let replyCode, let replyText, let exchange, let routingKey):
            content = Content(
                purpose: .return(
                    replyCode: replyCode, replyText: replyText, exchange: exchange, routingKey: routingKey))
        case .basicAck(let deliveryTag, let multiple): try answered(deliveryTag, multiple: multiple, confirmed: true)
        case .basicNack(let deliveryTag, let multiple): try answered(deliveryTag, multiple: multiple, confirmed: false)
        case .basicCancel: user?.cancelledByBroker()
        case .channelCloseOk:
            guard isClosing else { throw AMQPError(.protocolViolation, "a close-ok that nothing was asked for") }
            // The broker may close a channel without the replies that it still owed, such as a cancel-ok.
            failAllButLast(AMQPError(.connectionClosed, "the channel was closed"))
            awaited.popFirst()?.reply.resume(returning: method)
        default:
            guard let waiter = awaited.popFirst() else {
                throw AMQPError(.protocolViolation, "a reply that nothing was asked for")
            }
            waiter.reply.resume(returning: method)
        }
    }

    /// Handles a content header. Throws ``AMQPError/Code/protocolViolation``.
    func receiveHeader(
        bodySize: UInt64, properties: MessageProperties, headersFault: String?, maximumBodySize: Int
    ) throws(AMQPError) {
        guard content != nil, content?.properties == nil else {
            throw AMQPError(.protocolViolation, "a content header that no message was announced for")
        }
        guard let size = Int(exactly: bodySize), size <= maximumBodySize else {
            throw AMQPError(
                .protocolViolation, "a message of \(bodySize) bytes, where at most \(maximumBodySize) are accepted",
                remedy: "raise maximumBodySize, or lower the broker's max_message_size")
        }
        content?.properties = properties
        content?.headersFault = headersFault
        content?.bodySize = size
        if size == 0 { try complete() }
    }

    /// Handles a piece of a body. Throws ``AMQPError/Code/protocolViolation``.
    func receiveBody(_ bytes: UnsafeRawBufferPointer) throws(AMQPError) {
        guard let content, content.properties != nil, bytes.count <= content.bodySize - content.body.count else {
            throw AMQPError(.protocolViolation, "more of a body than its header announced")
        }
        if content.body.isEmpty {
            self.content?.body = unsafe Array(bytes)
            // A peer may announce much and send little: no more than a megabyte is set aside on its word.
            if bytes.count < content.bodySize { self.content?.body.reserveCapacity(min(content.bodySize, 1 << 20)) }
        } else {
            unsafe self.content?.body.append(contentsOf: bytes)
        }
        if self.content?.body.count == content.bodySize { try complete() }
    }

    /// Ends the channel: whoever waits for a reply is told, and so is its user.
    func close(_ error: AMQPError) {
        guard closed == nil else { return }
        closed = error
        while let waiter = awaited.popFirst() { waiter.reply.resume(throwing: error) }
        user?.channelClosed(error)
    }

    /// Tells everyone who waits for a reply but the last, which is that to our channel.close.
    func failAllButLast(_ error: AMQPError) {
        while awaited.count > 1, let waiter = awaited.popFirst() { waiter.reply.resume(throwing: error) }
    }

    private func complete() throws(AMQPError) {
        guard let content = content.take(), let properties = content.properties else { return }
        let message = Message(body: content.body, properties: properties)
        switch content.purpose {
        case .delivery(let header):
            guard user?.delivered(header, message, headersFault: content.headersFault) ?? true else {
                throw AMQPError(.protocolViolation, "the delivery tag \(header.deliveryTag), which is not the next one")
            }
        case .return(let replyCode, let replyText, let exchange, let routingKey):
            let reason = AMQPError(
                .returned, "no queue took the message to '\(exchange)' with the routing key '\(routingKey)'",
                replyCode: replyCode, replyText: replyText,
                remedy: "bind a queue to the exchange, or publish with mandatory: false")
            user?.returned(message, exchange: exchange, routingKey: routingKey, reason: reason)
        }
    }

    private func answered(_ deliveryTag: UInt64, multiple: Bool, confirmed: Bool) throws(AMQPError) {
        guard user?.answered(deliveryTag, multiple: multiple, confirmed: confirmed) ?? true else {
            throw AMQPError(.protocolViolation, "a confirm for the message \(deliveryTag), which was never published")
        }
    }
}
