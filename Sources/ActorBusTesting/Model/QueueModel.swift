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

    private var ready = Backlog()
    /// What came back to a quorum queue, and goes out before everything else.
    private var returned = Backlog()
    private var readyBytes: Int64 = 0
    private var nextPosition: UInt64 = 0
    private(set) var rotation: ConsumerRotation
    /// The exclusive consumer, or the active one of a single active consumer queue.
    private var holder: QueueConsumer?
    private var hasHadConsumers = false
    /// Consumers of a quorum queue that are cancelled and have deliveries unsettled.
    private var cancelled: [QueueConsumer] = []
    /// Deliveries by basic.get, of a quorum queue, that are unsettled.
    private var unsettledGets = 0
    private var isRunning = false
    private(set) var isDeleted = false
    /// When the queue was last used, for `x-expires`.
    private var lastUse: Int64

    init(
        name: String, virtualHost: VirtualHost, durable: Bool, autoDelete: Bool, owner: UInt64?,
        arguments: FieldTable, options: QueueArguments
    ) {
        self.name = name
        self.virtualHost = virtualHost
        self.durable = durable
        self.autoDelete = autoDelete
        self.owner = owner
        self.arguments = arguments
        self.options = options
        rotation = ConsumerRotation(leavesWhenFull: options.kind == .quorum)
        lastUse = virtualHost.broker.now
    }

    var resource: String { "queue '\(name)' in vhost '\(virtualHost.name)'" }
    var readyCount: Int { ready.count + returned.count }
    /// A quorum queue counts whoever has something unsettled among its consumers: who was cancelled, and each basic.get.
    /// Those that wait for a single active consumer's place are none of them.
    var consumerCount: Int {
        guard isQuorum else { return rotation.all.count }
        let active = options.singleActiveConsumer ? (holder == nil ? 0 : 1) : rotation.all.count
        return active + cancelled.count + unsettledGets
    }
    var messages: [BrokerMessage] { returned.all.map(\.message) + ready.all.map(\.message) }
    private var isQuorum: Bool { options.kind == .quorum }
    private var broker: BrokerModel { virtualHost.broker }

    func use() { lastUse = broker.now }

    // MARK: Messages in

    /// Takes a message; false when the queue is full and refuses it.
    func publish(_ message: BrokerMessage) -> Bool {
        if wouldOverflow(message), options.overflow != .dropHead {
            if options.overflow == .rejectPublishDLX { deadLetter(message, .maxlen, failures: 0) }
            return false
        }
        let lives = [options.messageTTL, message.timeToLive].compactMap { $0 }.min()
        nextPosition += 1
        let entry = QueueEntry(message, position: nextPosition, expiry: lives.map { broker.now + $0 })
        // What goes straight to a consumer of a classic queue is new to it, whatever befell it elsewhere.
        let isRedelivered = entry.wasDelivered
        if !isQuorum { entry.wasDelivered = false }
        ready.append(entry)
        readyBytes += Int64(message.body.count)
        run()
        entry.wasDelivered = entry.wasDelivered || isRedelivered
        dropWhatIsTooMuch()
        dropWhatIsExpired()
        return true
    }

    private func wouldOverflow(_ message: BrokerMessage) -> Bool {
        if let limit = options.maxLength, Int64(readyCount) + 1 > limit { return true }
        if let limit = options.maxLengthBytes, readyBytes + Int64(message.body.count) > limit { return true }
        return false
    }

    private func dropWhatIsTooMuch() {
        guard options.overflow == .dropHead else { return }
        while options.maxLength.map({ Int64(readyCount) > $0 }) ?? false
            || options.maxLengthBytes.map({ readyBytes > $0 }) ?? false
        {
            guard let entry = takeFirst() else { return }
            deadLetter(entry, .maxlen)
        }
    }

    // MARK: Messages out

    /// The next message for basic.get.
    func get(noAck: Bool) -> QueueEntry? {
        use()
        let entry = takeFirst()
        if isQuorum, !noAck, entry != nil { unsettledGets += 1 }
        if entry != nil { dropWhatIsExpired() }
        return entry
    }

    func purge() -> Int {
        let count = readyCount
        ready.removeAll()
        returned.removeAll()
        readyBytes = 0
        return count
    }

    /// Hands messages to the consumers while there are both.
    func run() {
        // A delivery can lead back here, through a dead letter or a cancelled consumer; the outer turn goes on with it.
        guard !isRunning else { return }
        isRunning = true
        defer { isRunning = false }
        while !isDeleted, readyCount > 0, let consumer = nextConsumer(), let entry = takeFirst() {
            if !consumer.noAck { consumer.unsettled += 1 }
            rotation.tookMessage(consumer)
            consumer.channel.deliver(entry, to: consumer, from: self)
            dropWhatIsExpired()
        }
    }

    private func nextConsumer() -> QueueConsumer? {
        guard options.singleActiveConsumer else { return rotation.next() }
        guard let holder, !holder.isFull else { return nil }
        return holder
    }

    private func takeFirst() -> QueueEntry? {
        guard let entry = returned.popFirst() ?? ready.popFirst() else { return nil }
        readyBytes -= Int64(entry.message.body.count)
        return entry
    }

    // MARK: Settlement

    /// Why messages come back.
    enum Return { case nack, reject, recover, channelGone, consumerTimeout }

    func acknowledge(_ count: Int, of consumer: QueueConsumer?) {
        guard !isDeleted else { return }
        release(count, of: consumer)
        run()
    }

    /// Takes messages back, given in the order of their delivery.
    func takeBack(_ entries: [QueueEntry], of consumer: QueueConsumer?, because why: Return) {
        guard !isDeleted, !entries.isEmpty else { return }
        release(entries.count, of: consumer)
        for entry in entries {
            entry.wasDelivered = true
            if countsAsFailure(why) { entry.failures += 1 }
            if isQuorum {
                entry.returns += 1
                let counted = broker.version.limitCountsEveryReturn ? entry.returns : entry.failures
                if let limit = deliveryLimit, counted > limit {
                    deadLetter(entry, .deliveryLimit)
                    continue
                }
                // Without a limit it is written anew, behind all others, but for what a channel leaves behind.
                if deliveryLimit == nil, why != .channelGone { ready.append(entry) } else { returned.append(entry) }
            } else {
                ready.insertByPosition(entry)
            }
            readyBytes += Int64(entry.message.body.count)
        }
        if !isQuorum {
            dropWhatIsTooMuch()
            dropWhatIsExpired()
        }
        run()
        if isQuorum {
            dropWhatIsTooMuch()
            dropWhatIsExpired()
        }
    }

    func discard(_ entries: [QueueEntry], of consumer: QueueConsumer?, because why: Return) {
        guard !isDeleted else { return }
        release(entries.count, of: consumer)
        for entry in entries {
            if countsAsFailure(why) { entry.failures += 1 }
            deadLetter(entry, .rejected)
        }
        run()
    }

    /// The headers with which a quorum queue hands a message out again.
    func counts(of entry: QueueEntry, forGet isGet: Bool = false) -> FieldTable {
        guard isQuorum else { return [:] }
        let version = broker.version
        // What a dead letter brings along is told until it has come back here.
        let acquired = entry.returns > 0 ? entry.returns : entry.failures
        let failed = version.tellsAcquiredCount ? entry.failures : acquired
        var counts: FieldTable = [:]
        if failed > 0 || isGet && version.getTellsZeroFailures { counts["x-delivery-count"] = .int64(failed) }
        if acquired > 0, version.tellsAcquiredCount { counts["x-acquired-count"] = .int64(acquired) }
        return counts
    }

    private var deliveryLimit: Int64? {
        guard let limit = options.deliveryLimit else { return broker.version.defaultDeliveryLimit }
        // From 4.0 on a negative limit is none; before, it lets nothing come back.
        return limit < 0 && broker.version.defaultDeliveryLimit != nil ? nil : limit
    }

    private func countsAsFailure(_ why: Return) -> Bool {
        switch why {
        case .reject, .channelGone: true
        case .nack, .recover, .consumerTimeout: broker.version.nackIsFailure
        }
    }

    private func release(_ count: Int, of consumer: QueueConsumer?) {
        if let consumer {
            consumer.unsettled -= count
            cancelled.removeAll { $0 === consumer && consumer.unsettled <= 0 }
        } else if isQuorum {
            unsettledGets -= count
        }
        rotation.readmit()
    }

    // MARK: Consumers

    /// Throws 403 where another consumer is exclusive, or this one would be and is not alone. `start` answers the
    /// client, before the first delivery.
    func add(_ consumer: QueueConsumer, exclusive: Bool, start: () -> Void) throws(ReplyError) {
        let inUse = ReplyError.accessRefused("\(resource) in exclusive use")
        // Quorum queues know no exclusive consumers, and take them as any other.
        let exclusive = exclusive && !isQuorum
        if options.singleActiveConsumer {
            if exclusive { throw inUse }
        } else if holder != nil || exclusive && !rotation.isEmpty {
            throw inUse
        }
        use()
        hasHadConsumers = true
        rotation.add(consumer)
        if exclusive || options.singleActiveConsumer && holder == nil {
            holder = consumer
        }
        start()
        run()
    }

    /// Takes consumers away; deletes the queue where they were its last and it is to go with them.
    func remove(where isGone: (QueueConsumer) -> Bool) {
        let gone = rotation.all.filter(isGone)
        guard !gone.isEmpty else { return }
        rotation.remove(where: isGone)
        if isQuorum { cancelled += gone.filter { $0.unsettled > 0 } }
        if let current = holder, isGone(current) {
            holder = options.singleActiveConsumer ? rotation.waiting.first ?? rotation.full.first : nil
        }
        use()
        if autoDelete, hasHadConsumers, rotation.isEmpty { virtualHost.delete(self) } else { run() }
    }

    /// Ends the queue; its consumers are told, and what it held is gone.
    func end() {
        isDeleted = true
        let consumers = rotation.all
        rotation.remove { _ in true }
        holder = nil
        _ = purge()
        for consumer in consumers { consumer.channel.consumerIsGone(consumer) }
    }

    // MARK: Time

    /// When something happens here by itself.
    var nextDeadline: Int64? {
        let expiry = (returned.first ?? ready.first)?.expiry
        let end = rotation.isEmpty ? options.expires.map { lastUse + $0 } : nil
        return [expiry, end].compactMap { $0 }.min()
    }

    func passTime() {
        dropWhatIsExpired()
        if rotation.isEmpty, let expires = options.expires, lastUse + expires <= broker.now {
            virtualHost.delete(self)
        }
    }

    /// Drops what is expired at the head; what is expired behind the head waits until it gets there.
    private func dropWhatIsExpired() {
        while let entry = returned.first ?? ready.first, let expiry = entry.expiry, expiry <= broker.now {
            _ = takeFirst()
            deadLetter(entry, .expired)
        }
    }

    private func deadLetter(_ entry: QueueEntry, _ reason: DeathReason) {
        let isKept =
            isQuorum ? broker.version.quorumLettersKeepFailures : broker.version.classicLettersKeepFailures
        deadLetter(entry.message, reason, failures: isKept ? entry.failures : 0)
    }

    private func deadLetter(_ message: BrokerMessage, _ reason: DeathReason, failures: Int64) {
        broker.record.died(message, in: self, reason)
        guard let exchange = options.deadLetterExchange, virtualHost.exchanges[exchange] != nil else { return }
        var letter = message.deadLettered(
            from: name, because: reason, to: exchange, routingKey: options.deadLetterRoutingKey,
            at: broker.secondsSince1970, version: broker.version)
        letter.failures = failures
        for target in virtualHost.route(letter) {
            if reason != .rejected, letter.isCycle(to: target.name, version: broker.version) { continue }
            _ = target.publish(letter)
        }
    }
}
