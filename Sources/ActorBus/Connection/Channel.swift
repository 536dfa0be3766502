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

    /// What a message that is being put together will be.
    private enum Content {
        case delivery(IncomingMethod.DeliverHeader)
        case `return`(replyCode: UInt16, replyText: String, exchange: String, routingKey: String)
    }

    let number: UInt16
    /// Let go when the channel is closed, which ends the cycle that the user makes by holding the channel.
    var user: (any ChannelUser)?
    /// Set once it is closed; every later call throws it, and what still comes for it is dropped.
    private(set) var closed: AMQPError?
    /// By pattern: `closed == nil` would copy and compare whole errors, several times a message.
    var isOpen: Bool { if case .none = closed { true } else { false } }
    /// Whether our channel.close is under way.
    var isClosing = false
    /// Whether a reply that does not come in time costs only the channel: a queue whose node has just died can keep its
    /// channel waiting for a minute (seen with RabbitMQ 4.3) on a connection that is well.
    var isExpendable = false
    /// Whether it was given up while the broker owed a reply.
    var isAbandoned = false
    private var awaited = Ring<Awaited>()
    /// The message of which the rest is still to come; of these, properties come with its header, and then its body.
    private var content: Content?
    private var properties: MessageProperties?
    private var headersFault: String?
    private var body = IncomingBody()
    /// The message that is written piece by piece; nothing else may be sent on the channel meanwhile.
    var outgoing: OutgoingBody?

    /// Far above what any broker lets through: 512 MiB.
    private static let largestBody: UInt64 = 1 << 36

    init(number: UInt16) { self.number = number }

    var nextDeadline: Instant? {
        var next: Instant?
        for position in 0..<awaited.count { next = .earlier(next, awaited[position].deadline) }
        return next
    }

    /// Adds a waiter for the next reply; replies come in the order of the calls.
    func await(_ reply: Reply, deadline: Instant) { awaited.append(Awaited(reply: reply, deadline: deadline)) }

    /// Handles a method that belongs to the channel. Throws ``AMQPError/Code/protocolViolation``.
    func receive(_ method: IncomingMethod) throws(AMQPError) {
        guard isOpen else { return }
        guard content == nil else { throw AMQPError(.protocolViolation, "a method in the middle of a message") }
        switch method {
        case .basicDeliver(let header): content = .delivery(header)
        case .basicReturn(let replyCode, let replyText, let exchange, let routingKey):
            content = .return(
                replyCode: replyCode, replyText: replyText, exchange: exchange, routingKey: routingKey)
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
                throw AMQPError(
                    .protocolViolation, "a reply on channel \(number) that nothing was asked for: \(method)")
            }
            waiter.reply.resume(returning: method)
        }
    }

    /// Handles a content header. Throws ``AMQPError/Code/protocolViolation``.
    func receiveHeader(
        bodySize: UInt64, properties: MessageProperties, headersFault: String?, storage: BodyStorage
    ) throws(AMQPError) {
        guard isOpen else { return }
        guard content != nil, self.properties == nil else {
            throw AMQPError(.protocolViolation, "a content header that no message was announced for")
        }
        guard bodySize <= Self.largestBody else {
            throw AMQPError(.protocolViolation, "a message of \(bodySize) bytes, which no broker takes")
        }
        self.properties = properties
        self.headersFault = headersFault
        let size = Int64(bodySize)
        body =
            if case .return? = content {
                IncomingBody(size: size, storage: .forReturns)
            } else {
                IncomingBody(size: size, storage: storage)
            }
        if size == 0 { try complete() }
    }

    /// Handles a piece of a body. Throws ``AMQPError/Code/protocolViolation``.
    func receiveBody(_ bytes: UnsafeRawBufferPointer) throws(AMQPError) {
        guard isOpen else { return }
        guard properties != nil, unsafe body.append(bytes) else {
            throw AMQPError(.protocolViolation, "more of a body than its header announced")
        }
        if body.isWhole { try complete() }
    }

    /// Ends the channel: whoever waits for a reply is told, and so is its user.
    func close(_ error: AMQPError) {
        guard isOpen else { return }
        closed = error
        (content, properties, body) = (nil, nil, IncomingBody())
        while let waiter = awaited.popFirst() { waiter.reply.resume(throwing: error) }
        user.take()?.channelClosed(error)
    }

    /// Tells everyone who waits for a reply but the last, which is that to our channel.close.
    func failAllButLast(_ error: AMQPError) {
        while awaited.count > 1, let waiter = awaited.popFirst() { waiter.reply.resume(throwing: error) }
    }

    private func complete() throws(AMQPError) {
        guard let content = content.take(), let properties = properties.take() else { return }
        let message = Message(body.take(), properties)
        switch content {
        case .delivery(let header):
            guard user?.delivered(header, message, headersFault: headersFault) ?? true else {
                throw AMQPError(.protocolViolation, "the delivery tag \(header.deliveryTag), which is not the next one")
            }
        case .return(let replyCode, let replyText, let exchange, let routingKey):
            // The default exchange routes by a queue's name (AMQP 0-9-1 section 3.1.3.1).
            let (words, remedy) =
                exchange.isEmpty
                ? ("there is no queue '\(routingKey)' to take the message", "declare the queue, or correct its name")
                : (
                    "no queue took the message to '\(exchange)' with the routing key '\(routingKey)'",
                    "bind a queue to the exchange, or publish with mandatory: false"
                )
            let reason = AMQPError(.returned, words, replyCode: replyCode, replyText: replyText, remedy: remedy)
            user?.returned(message, exchange: exchange, routingKey: routingKey, reason: reason)
        }
    }

    private func answered(_ deliveryTag: UInt64, multiple: Bool, confirmed: Bool) throws(AMQPError) {
        guard user?.answered(deliveryTag, multiple: multiple, confirmed: confirmed) ?? true else {
            throw AMQPError(.protocolViolation, "a confirm for the message \(deliveryTag), which was never published")
        }
    }
}
