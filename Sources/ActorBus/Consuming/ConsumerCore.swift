/// A consumer, over as many channels as recovery takes: what it is registered as at the broker, and which deliveries
/// are unsettled. Touched by the connection's thread alone.
final class ConsumerCore: ChannelUser {
    let id: UInt32
    let queue: String
    let prefetch: UInt16
    let mailbox: Mailbox
    private let inbox: Inbox
    private let world: World
    private(set) var channel: Channel?
    private var generation: UInt32 = 0
    /// How often it was asked for.
    private var registrations: UInt32 = 0
    private var ledger = AcknowledgmentLedger()
    /// Arrived in this turn of the loop and not yet handed over.
    private var batch: [Delivery] = []
    /// Whether the broker has said consume-ok, on this channel.
    private(set) var isRegistered = false
    /// Set when nobody reads any more: the consumer is not registered again, and goes when its deliveries are settled.
    private(set) var isReleased = false
    /// Whether it is being registered, so that a channel that fails meanwhile is that attempt's affair.
    var isRegistering = false
    /// The session in which it is being registered again, so that one loop at a time does that. A loop of a session
    /// that is lost may still sleep while the next session needs one.
    weak var restoringSession: Session?
    /// Closes its channel, once it is released and has nothing unsettled.
    var retirement: Task<Void, Never>?
    /// Whether the broker has cancelled it since it was last asked for; that may come with the consume-ok.
    private(set) var wasCancelled = false
    /// The pauses before it is asked for again.
    var backoff: Backoff
    /// Whether settlements wait to be written.
    private(set) var hasSettled = false
    /// Called when the broker has ended the consumer, or its channel, while the connection lives on.
    var onEnded: ((AMQPError) -> Void)?

    init(id: UInt32, queue: String, prefetch: UInt16, mailbox: Mailbox, inbox: Inbox, backoff: Backoff, world: World) {
        self.id = id
        self.queue = queue
        self.prefetch = prefetch
        self.mailbox = mailbox
        self.inbox = inbox
        self.backoff = backoff
        self.world = world
    }

    /// Its name on the channel: another at each registration, since a broker that has cancelled a consumer may keep the
    /// tag for a while, and to use it again would end the connection (530, seen with RabbitMQ 4.3).
    var consumerTag: String { "actorbus-\(id)-\(registrations)" }
    var unsettled: Int { ledger.unsettled }
    /// Whether settlements of what was handed over may wait for one another.
    var settlesTogether: Bool { origin.settlementsTogether > 1 }
    /// Where deliveries of the present channel come from.
    private var origin: ConsumerChannel { ConsumerChannel(consumer: id, generation: generation, prefetch: prefetch) }

    /// Begins to use a new channel; deliveries of earlier ones are stale from here on.
    func attach(_ channel: Channel) {
        channel.user = self
        self.channel = channel
        generation &+= 1
        ledger = AcknowledgmentLedger()
    }

    /// It is about to be asked for, under a fresh tag.
    func ask() {
        wasCancelled = false
        registrations &+= 1
    }

    func registered(at now: Instant) {
        isRegistered = true
        backoff.succeeded(at: now)
    }

    /// Whether a recovery has to register it in this session: nobody else does already.
    func isToBeRegistered(in session: Session) -> Bool {
        !isReleased && !isRegistered && restoringSession !== session
    }

    /// Notes a settlement. False for one that is stale or comes second.
    func settle(_ from: ConsumerChannel, _ deliveryTag: UInt64, _ settlement: Settlement) -> Bool {
        guard channel != nil, from.generation == generation, ledger.settle(deliveryTag, settlement) else {
            return false
        }
        hasSettled = true
        return true
    }

    /// Encodes the frames for what was settled.
    func flush(_ session: Session) throws(AMQPError) {
        hasSettled = false
        // A settlement that comes behind our channel.close is void: the delivery went back with the channel.
        guard let channel, !channel.isClosing else { return }
        try ledger.flush { (frame) throws(AMQPError) in
            switch frame {
            case .acknowledge(let deliveryTag, let multiple):
                try session.send(.basicAck(deliveryTag: deliveryTag, multiple: multiple), on: channel)
            case .negative(let deliveryTag, let requeue):
                try session.send(.basicNack(deliveryTag: deliveryTag, requeue: requeue), on: channel)
            }
        }
    }

    /// Hands over what has arrived in this turn; false when that is nothing. What nobody wants any more goes back.
    func handOver() -> Bool {
        guard !batch.isEmpty else { return false }
        if !mailbox.put(batch) { giveBack(batch) }
        batch.removeAll(keepingCapacity: true)
        return true
    }

    /// Nobody reads any more: what was not handed out goes back to the queue.
    func release(unread: [Delivery]) {
        isReleased = true
        isRegistered = false
        giveBack(unread)
    }

    private func giveBack(_ deliveries: [Delivery]) {
        for delivery in deliveries { _ = settle(origin, delivery.deliveryTag, .requeue) }
    }

    // MARK: ChannelUser

    func delivered(_ header: IncomingMethod.DeliverHeader, _ message: Message, headersFault: String?) -> Bool {
        guard ledger.deliver(header.deliveryTag) else { return false }
        batch.append(
            Delivery(
                message: message, header: header, headersFault: headersFault, channel: origin, inbox: inbox))
        return true
    }

    func cancelledByBroker() {
        isRegistered = false
        wasCancelled = true
        backoff.lost(at: world.now)
        onEnded?(
            AMQPError(
                .notFound, "the broker cancelled the consumer of the queue '\(queue)'",
                remedy: "look whether the queue was deleted or its node went away"))
    }

    func channelClosed(_ error: AMQPError) {
        guard channel != nil else { return }
        channel = nil
        isRegistered = false
        backoff.lost(at: world.now)
        // Its deliveries went back with it, so nobody has to settle them before the consumer can go.
        ledger = AcknowledgmentLedger()
        hasSettled = false
        batch = []
        mailbox.purge()
        onEnded?(error)
    }

    func returned(_ message: Message, exchange: String, routingKey: String, reason: AMQPError) {}

    func answered(_ deliveryTag: UInt64, multiple: Bool, confirmed: Bool) -> Bool { false }
}
