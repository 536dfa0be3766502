/// A consumer, over as many channels as recovery takes: what it is registered as at the broker, and which deliveries
/// are unsettled. Touched by the connection's thread alone.
final class ConsumerCore: ChannelUser {
    let id: UInt32
    let queue: String
    let prefetch: UInt16
    let mailbox: Mailbox
    private let inbox: Inbox
    private(set) var channel: Channel?
    private var generation: UInt32 = 0
    /// How often it was asked for.
    private var registrations: UInt32 = 0
    private var ledger = AcknowledgmentLedger()
    /// Arrived in this turn of the loop and not yet handed over.
    private var batch: [Delivery] = []
    /// What it is to the broker.
    var machine: ConsumerMachine
    /// Closes its channel.
    var closure: Task<Void, Never>?
    /// Whether settlements wait to be written.
    private(set) var hasSettled = false
    /// How many settlements were written on the present channel, as far as 255.
    private var framesWritten: UInt8 = 0
    /// Called when the broker has ended the consumer, or its channel is closed.
    var onEvent: ((ConsumerMachine.Event) -> Void)?

    init(id: UInt32, queue: String, prefetch: UInt16, mailbox: Mailbox, inbox: Inbox, policy: RecoveryPolicy) {
        self.id = id
        self.queue = queue
        self.prefetch = prefetch
        self.mailbox = mailbox
        self.inbox = inbox
        machine = ConsumerMachine(policy)
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
        framesWritten = 0
        ledger = AcknowledgmentLedger()
    }

    /// Whether the broker may need a moment for what was written before the channel is closed.
    ///
    /// RabbitMQ's channel has at most 32 commands under way to a quorum queue, and forgets those that wait when it is closed:
    /// messages that were acknowledged come again (seen with 3.10, 4.0 and 4.3). No method is answered only after them, so
    /// time is all that can be given.
    var needsTimeToSettle: Bool { framesWritten > 16 }

    /// It is about to be asked for, under a fresh tag.
    func ask() { registrations &+= 1 }

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
            if framesWritten < .max { framesWritten += 1 }
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

    /// Puts what was not handed out back into the queue.
    func giveBack(_ deliveries: [Delivery]) {
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
        onEvent?(
            .cancelled(
                AMQPError(
                    .notFound, "the broker cancelled the consumer of the queue '\(queue)'",
                    remedy: "look whether the queue was deleted or its node went away")))
    }

    func channelClosed(_ error: AMQPError) {
        guard channel != nil else { return }
        channel = nil
        // Its deliveries went back with it, so nobody has to settle them before the consumer can go.
        ledger = AcknowledgmentLedger()
        hasSettled = false
        batch = []
        mailbox.purge()
        onEvent?(.channelLost(error))
    }

    func returned(_ message: Message, exchange: String, routingKey: String, reason: AMQPError) {}

    func answered(_ deliveryTag: UInt64, multiple: Bool, confirmed: Bool) -> Bool { false }
}
