/// A message that the broker has handed to a consumer. It stays the broker's until it is settled: acknowledged,
/// requeued or rejected, once.
///
/// To settle takes no time and waits for nothing: the connection writes it together with others, a few milliseconds
/// later at the most. A settlement that comes second, or after the connection was lost in between, changes nothing: the
/// broker has then put the message back into its queue and delivers it again, with ``redelivered`` set.
public final class Delivery: Sendable {
    public let message: Message
    /// The exchange that the message was published to; empty for the default exchange.
    public let exchange: String
    public let routingKey: String
    /// Whether the broker has handed this message out before. A hint: false does not promise that nobody has seen it.
    public let redelivered: Bool
    /// The number of the delivery on its channel.
    public let deliveryTag: UInt64
    /// Why the message's headers were left out; nil when they were read. Such a message should be put aside, not worked
    /// on.
    public let headersFault: String?
    /// Why the message's body was not kept, when it was too large to be held in memory and could not be spooled; nil when
    /// it is at hand. Size and digest are known all the same (``Message/largeBody``).
    public var bodyFault: String? { message.largeBody?.fault }

    private let channel: ConsumerChannel
    private let inbox: Inbox

    init(
        message: Message, header: IncomingMethod.DeliverHeader, headersFault: String?, channel: ConsumerChannel,
        inbox: Inbox
    ) {
        self.message = message
        exchange = header.exchange
        routingKey = header.routingKey
        redelivered = header.redelivered
        deliveryTag = header.deliveryTag
        self.headersFault = headersFault
        self.channel = channel
        self.inbox = inbox
    }

    /// The bytes; none where the body is not held in memory (``Message/largeBody``).
    public var body: [UInt8] { message.body }
    public var properties: MessageProperties { message.properties }

    /// The work is done; the broker may forget the message.
    public func acknowledge() { settle(.acknowledge) }

    /// Puts the message back into its queue, to be delivered again, here or elsewhere.
    public func requeue() { settle(.requeue) }

    /// Refuses the message: the broker dead-letters it, and destroys it where its queue has no dead-letter exchange.
    public func reject() { settle(.reject) }

    /// Settles as ``settle(_:)`` does, and holds on to nothing of the message: for who keeps many unsettled.
    package var settler: @Sendable (Settlement) -> Void {
        { [channel, inbox, deliveryTag] settlement in
            inbox.put(.settle(channel, deliveryTag: deliveryTag, settlement))
        }
    }

    public func settle(_ settlement: Settlement) {
        inbox.put(settlement: settlement, of: channel, deliveryTag: deliveryTag)
    }
}

/// The channel that a delivery came over: the consumer, and which of its channels, counted over recoveries.
struct ConsumerChannel: Sendable, Equatable {
    var consumer: UInt32
    var generation: UInt32
    /// How many of its deliveries may be unsettled.
    var prefetch: UInt16

    /// How many settlements are best written together: half of the prefetch, so that the broker still has deliveries
    /// under way meanwhile. One or none where each is to be written at once.
    var settlementsTogether: Int { Int(prefetch) / 2 }
}
