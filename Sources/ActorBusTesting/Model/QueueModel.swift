internal import ActorBus

/// A classic or a quorum queue.
final class QueueModel {
    let name: String
    unowned let virtualHost: VirtualHost
    let durable: Bool
    let autoDelete: Bool
    /// The connection that alone may use it; nil for a queue that is not exclusive.
    let owner: UInt64?
    let arguments: FieldTable
    let options: QueueArguments

    var ready: Backlog
    /// What came back to a quorum queue, and goes out before everything else.
    var returned = Backlog()
    var readyBytes: Int64 = 0
    private var nextPosition: UInt64 = 0
    var rotation: ConsumerRotation
    /// The exclusive consumer, or the active one of a single active consumer queue.
    var holder: QueueConsumer?
    var hasHadConsumers = false
    /// Consumers of a quorum queue that are cancelled and have deliveries unsettled.
    var cancelled: [QueueConsumer] = []
    /// Deliveries by basic.get, of a quorum queue, that are unsettled.
    var unsettledGets = 0
    private var isRunning = false
    var isDeleted = false
    /// When the queue was last used, for `x-expires`.
    var lastUse: Int64
    /// Those who have published to a quorum queue, and whether it has told them to stop.
    private var stoppedPublishers: [UInt64: Bool] = [:]
    /// Dead letters of a quorum queue that wait for their confirm.
    var letters: DeadLetterOutbox
    var isSendingLetters = false
    /// The node of a classic queue, or of a quorum queue's leader.
    var node: Int
    /// The nodes that have a quorum queue, its first leader first.
    let members: [Int]
    /// What was published while the queue was silent.
    var held: [HeldPublish] = []
    /// Messages that are acknowledged, with the time at which that is on disk.
    var fading: [(entry: QueueEntry, syncedAt: Int64)] = []

    /// What consumers have whose node is gone.
    var lost: [LostDeliveries] = []

    struct LostDeliveries {
        var node: Int
        /// Nil for what basic.get took.
        var consumer: QueueConsumer?
        var entries: [QueueEntry]
        /// When the queue takes them back.
        var until: Int64
    }

    /// What becomes of a message that is published here.
    enum Acceptance { case taken, refused, held }

    struct HeldPublish {
        var message: BrokerMessage
        var publisher: UInt64
        /// Takes whether the queue has taken it in the end.
        var report: (Bool) -> Void
    }

    init(
        name: String, virtualHost: VirtualHost, durable: Bool, autoDelete: Bool, owner: UInt64?,
        arguments: FieldTable, options: QueueArguments, node: Int
    ) {
        self.name = name
        self.virtualHost = virtualHost
        self.durable = durable
        self.autoDelete = autoDelete
        self.owner = owner
        self.arguments = arguments
        self.options = options
        let broker = virtualHost.broker
        switch (options.kind, broker.version.quorumPriorities) {
        case (.classic, _): ready = Backlog(lanes: Int(options.maxPriority ?? 0) + 1)
        case (.quorum, .none): ready = Backlog()
        case (.quorum, .twoToOne): ready = Backlog(lanes: 2, sharing: .twoToOne)
        case (.quorum, .strict): ready = Backlog(lanes: 32)
        }
        rotation = ConsumerRotation(leavesWhenFull: options.kind == .quorum)
        lastUse = broker.now
        self.node = node
        let others = broker.nodes.indices.filter { $0 != node }
        members = options.kind == .quorum ? [node] + others.prefix(2) : [node]
        letters = DeadLetterOutbox(publisher: broker.nextPublisherNumber())
    }

    var resource: String { "queue '\(name)' in vhost '\(virtualHost.name)'" }
    var readyCount: Int { ready.count + returned.count }
    /// A quorum queue counts whoever has something unsettled among its consumers: who was cancelled, and each basic.get.
    /// Those that wait for a single active consumer's place are none of them.
    var consumerCount: Int {
        guard isQuorum else { return rotation.all.count }
        let active = options.singleActiveConsumer ? (holder == nil ? 0 : 1) : rotation.all.count
        let lostGets = lost.count { $0.consumer == nil && $0.entries.isEmpty }
        return active + cancelled.count + unsettledGets + lostGets
    }
    var messages: [BrokerMessage] { returned.all.map(\.message) + ready.all.map(\.message) }
    var isQuorum: Bool { options.kind == .quorum }
    var broker: BrokerModel { virtualHost.broker }

    /// How long what basic.get took may wait for its settlement.
    var getTimeout: Int64? { options.consumerTimeout ?? broker.consumerTimeout }

    func use() { lastUse = broker.now }

    // MARK: Messages in

    /// Takes a message, unless the queue refuses it. `publisher` is nil for what is sent with no wish for a confirm by
    /// the broker itself, which a quorum queue never refuses. `report` is called later where the queue is silent now.
    func publish(
        _ message: BrokerMessage, from publisher: UInt64?, report: @escaping (Bool) -> Void = { _ in }
    ) -> Acceptance {
        if availability == .silent {
            guard let publisher else { return .refused }
            held.append(HeldPublish(message: message, publisher: publisher, report: report))
            return .held
        }
        if let publisher, isStopped(publisher) { return .refused }
        return take(message) ? .taken : .refused
    }

    /// Takes a message that no word to its publisher stands against; false when a classic queue is full and refuses it.
    func take(_ message: BrokerMessage) -> Bool {
        guard availability == .here else { return false }
        if !isQuorum, wouldOverflow(message), options.overflow != .dropHead {
            if options.overflow == .rejectPublishDLX { deadLetter(message, .maxlen, failures: 0) }
            return false
        }
        change {
            let entry = entry(of: message)
            // What goes straight to a consumer of a classic queue is new to it, whatever befell it elsewhere.
            let isRedelivered = entry.wasDelivered
            if !isQuorum { entry.wasDelivered = false }
            ready.append(entry)
            readyBytes += Int64(message.body.count)
            run()
            entry.wasDelivered = entry.wasDelivered || isRedelivered
            dropWhatIsTooMuch()
            dropWhatIsExpired()
        }
        return true
    }

    private func entry(of message: BrokerMessage) -> QueueEntry {
        nextPosition += 1
        var lives = [options.messageTTL, message.timeToLive].compactMap { $0 }.min()
        // A message that is to live for no time lives long enough in a quorum queue to be handed out at once.
        if isQuorum { lives = lives.map { max($0, 1) } }
        let priority = message.properties.priority.map(Int.init)
        let lane =
            switch (options.kind, broker.version.quorumPriorities) {
            case (.classic, _): min(priority ?? 0, Int(options.maxPriority ?? 0))
            case (.quorum, .none): 0
            case (.quorum, .twoToOne): (priority ?? 0) > 4 ? 1 : 0
            case (.quorum, .strict): min(priority ?? 4, 31)
            }
        return QueueEntry(
            message, position: nextPosition, lane: lane, expiry: lives.map { broker.now + $0 },
            syncedAt: broker.now + broker.syncTime)
    }

    private func wouldOverflow(_ message: BrokerMessage) -> Bool {
        if let limit = options.maxLength, Int64(readyCount) + 1 > limit { return true }
        if let limit = options.maxLengthBytes, readyBytes + Int64(message.body.count) > limit { return true }
        return false
    }

    func dropWhatIsTooMuch() {
        guard options.overflow == .dropHead else { return }
        while options.maxLength.map({ Int64(readyCount) > $0 }) ?? false
            || options.maxLengthBytes.map({ readyBytes > $0 }) ?? false
        {
            guard let entry = takeFirst() else { return }
            deadLetter(entry, .maxlen)
        }
    }

    // MARK: Refusals of a quorum queue

    /// A quorum queue takes what exceeds its limit, and then tells its publishers to stop, until it has shrunk to four
    /// fifths of the limit.
    func isStopped(_ publisher: UInt64) -> Bool {
        guard isQuorum else { return false }
        if let known = stoppedPublishers[publisher] { return known }
        let isStopped = options.overflow == .rejectPublish && isOverLimit
        stoppedPublishers[publisher] = isStopped
        return isStopped
    }

    func forget(publisher: UInt64) { stoppedPublishers[publisher] = nil }

    /// Does what changes a queue, and then what follows: publishers are told to stop or to go on, and dead letters leave.
    func change(_ body: () -> Void) {
        guard isQuorum, options.overflow == .rejectPublish else { return body() }
        let wasLow = isLow
        body()
        if isOverLimit {
            for publisher in stoppedPublishers.keys { stoppedPublishers[publisher] = true }
        } else if !wasLow, isLow {
            for publisher in stoppedPublishers.keys { stoppedPublishers[publisher] = false }
        }
        sendLetters()
    }

    private var isOverLimit: Bool {
        options.maxLength.map { Int64(readyCount + letters.count) > $0 } ?? false
            || options.maxLengthBytes.map { readyBytes + letters.bytes > $0 } ?? false
    }

    private var isLow: Bool {
        func isLow(_ limit: Int64?, _ value: Int64) -> Bool {
            // RabbitMQ computes with floating point here.
            limit.map { value <= Int64(Double($0) * 0.8) } ?? true
        }
        guard options.maxLength != nil || options.maxLengthBytes != nil else { return false }
        return isLow(options.maxLength, Int64(readyCount + letters.count))
            && isLow(options.maxLengthBytes, readyBytes + letters.bytes)
    }

    // MARK: Messages out

    /// The next message for basic.get.
    func get(noAck: Bool) -> QueueEntry? {
        use()
        var entry: QueueEntry?
        change {
            if isQuorum { dropWhatIsExpired() }
            entry = takeFirst()
            if isQuorum, !noAck, entry != nil { unsettledGets += 1 }
            if entry != nil { dropWhatIsExpired() }
        }
        return entry
    }

    func purge() -> Int {
        var count = readyCount
        change {
            ready.removeAll()
            returned.removeAll()
            readyBytes = 0
            if broker.version.purgeTakesDeadLetters { count += letters.removeAll() }
        }
        return count
    }

    /// Hands messages to the consumers while there are both.
    func run() {
        // A delivery can lead back here, through a dead letter or a cancelled consumer; the outer turn goes on with it.
        guard !isRunning, availability == .here else { return }
        isRunning = true
        defer { isRunning = false }
        if isQuorum { dropWhatIsExpired() }
        while !isDeleted, readyCount > 0, let consumer = nextConsumer(), let entry = takeFirst() {
            if !consumer.noAck { consumer.unsettled += 1 }
            rotation.tookMessage(consumer)
            if consumer.isGone {
                consumer.takenInVain.append(entry)
            } else {
                consumer.channel.deliver(entry, to: consumer, from: self)
            }
            dropWhatIsExpired()
        }
    }

    private func nextConsumer() -> QueueConsumer? {
        guard options.singleActiveConsumer else { return rotation.next() }
        guard let holder, !holder.isFull, !holder.isQuiescing else { return nil }
        return holder
    }

    func takeFirst() -> QueueEntry? {
        guard let entry = returned.popFirst() ?? ready.popFirst() else { return nil }
        readyBytes -= Int64(entry.message.body.count)
        return entry
    }

    /// Ends the queue; its consumers are told, and what it held is gone.
    func end() {
        isDeleted = true
        let consumers = rotation.all
        rotation.remove { _ in true }
        holder = nil
        ready.removeAll()
        returned.removeAll()
        readyBytes = 0
        _ = letters.removeAll()
        lost = []
        let waiting = held
        held = []
        for publish in waiting { publish.report(true) }
        // A channel goes through its consumers by their tags.
        for consumer in consumers.sorted(by: { $0.tag < $1.tag }) { consumer.channel.consumerIsGone(consumer) }
    }

    // MARK: Time

    /// When something happens here by itself. Asked of every queue after everything that happens.
    var nextDeadline: Int64? {
        guard readyCount > 0 || letters.retry != nil || options.expires != nil || !lost.isEmpty else { return nil }
        guard availability == .here else { return nil }
        var next = letters.retry
        if rotation.isEmpty, let expires = options.expires { next = .earlier(next, lastUse + expires) }
        if let back = lost.first(where: { !$0.entries.isEmpty }) { next = .earlier(next, back.until) }
        guard readyCount > 0 else { return next }
        guard isQuorum, broker.version.expiresInEveryPriority else {
            return .earlier(next, (returned.first ?? ready.first)?.expiry)
        }
        return .earlier(.earlier(next, returned.first?.expiry), ready.nextExpiry)
    }

    func passTime() {
        guard availability == .here else { return }
        change { dropWhatIsExpired() }
        if let retry = letters.retry, retry <= broker.now { retryLetters() }
        takeBackWhatIsLost()
        if rotation.isEmpty, let expires = options.expires, lastUse + expires <= broker.now {
            virtualHost.delete(self)
        }
    }

    /// Drops what is expired at the head; what is expired behind the head waits until it gets there.
    func dropWhatIsExpired() {
        let now = broker.now
        if isQuorum, broker.version.expiresInEveryPriority {
            let dead = returned.popHeads { $0.isExpired(at: now) } + ready.popHeads { $0.isExpired(at: now) }
            for entry in dead {
                readyBytes -= Int64(entry.message.body.count)
                deadLetter(entry, .expired)
            }
            return
        }
        while let entry = returned.first ?? ready.first, entry.isExpired(at: now) {
            _ = takeFirst()
            deadLetter(entry, .expired)
        }
    }
}
