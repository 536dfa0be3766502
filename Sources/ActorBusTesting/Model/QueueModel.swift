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
    private var holderIsExclusive = false
    private var hasHadConsumers = false
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
    var consumerCount: Int { rotation.all.count }
    var messages: [BrokerMessage] { returned.all.map(\.message) + ready.all.map(\.message) }
    private var isQuorum: Bool { options.kind == .quorum }
    private var broker: BrokerModel { virtualHost.broker }

    func use() { lastUse = broker.now }

    // MARK: Messages in

    /// Takes a message; false when the queue is full and refuses it.
    func publish(_ message: BrokerMessage) -> Bool {
        if wouldOverflow(message), options.overflow != .dropHead {
            if options.overflow == .rejectPublishDLX { deadLetter(message, .maxlen) }
            return false
        }
        let lives = [options.messageTTL, message.timeToLive].compactMap { $0 }.min()
        nextPosition += 1
        let entry = QueueEntry(message, position: nextPosition, expiry: lives.map { broker.now + $0 })
        ready.append(entry)
        readyBytes += Int64(message.body.count)
        run()
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
            deadLetter(entry.message, .maxlen)
        }
    }

    // MARK: Messages out

    /// The next message for basic.get.
    func get() -> QueueEntry? {
        use()
        let entry = takeFirst()
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
            if isQuorum {
                entry.returns += 1
                if countsAsFailure(why) { entry.failures += 1 }
                let counted = broker.version.deliveryLimitCount == .returns ? entry.returns : entry.failures
                if let limit = deliveryLimit, counted > limit {
                    deadLetter(entry.message, .deliveryLimit)
                    continue
                }
                returned.append(entry)
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

    func discard(_ entries: [QueueEntry], of consumer: QueueConsumer?) {
        guard !isDeleted else { return }
        release(entries.count, of: consumer)
        for entry in entries { deadLetter(entry.message, .rejected) }
        run()
    }

    /// The headers with which a quorum queue hands a message out again.
    func counts(of entry: QueueEntry, forGet isGet: Bool = false) -> FieldTable {
        guard isQuorum else { return [:] }
        guard broker.version.tellsAcquiredCount else {
            // basic.get tells of zero returns too.
            return entry.returns > 0 || isGet ? ["x-delivery-count": .int64(entry.returns)] : [:]
        }
        guard entry.returns > 0 else { return [:] }
        var counts: FieldTable = ["x-acquired-count": .int64(entry.returns)]
        if entry.failures > 0 { counts["x-delivery-count"] = .int64(entry.failures) }
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
        case .nack, .recover, .consumerTimeout: false
        }
    }

    private func release(_ count: Int, of consumer: QueueConsumer?) {
        consumer?.unsettled -= count
        rotation.readmit()
    }

    // MARK: Consumers

    /// Throws 403 where another consumer is exclusive, or this one would be and is not alone. `start` answers the
    /// client, before the first delivery.
    func add(_ consumer: QueueConsumer, exclusive: Bool, start: () -> Void) throws(ReplyError) {
        let inUse = ReplyError.accessRefused("\(resource) in exclusive use")
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
            holderIsExclusive = exclusive
        }
        start()
        run()
    }

    /// Takes consumers away; deletes the queue where they were its last and it is to go with them.
    func remove(where isGone: (QueueConsumer) -> Bool) {
        let before = consumerCount
        rotation.remove(where: isGone)
        guard consumerCount < before else { return }
        if let current = holder, isGone(current) {
            holder = options.singleActiveConsumer ? rotation.waiting.first ?? rotation.full.first : nil
            holderIsExclusive = false
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
            deadLetter(entry.message, .expired)
        }
    }

    private func deadLetter(_ message: BrokerMessage, _ reason: DeathReason) {
        broker.record.died(message, in: self, reason)
        guard let exchange = options.deadLetterExchange, virtualHost.exchanges[exchange] != nil else { return }
        let letter = message.deadLettered(
            from: name, because: reason, to: exchange, routingKey: options.deadLetterRoutingKey,
            at: broker.secondsSince1970, version: broker.version)
        for target in virtualHost.route(letter) {
            if reason != .rejected, letter.isCycle(to: target.name, version: broker.version) { continue }
            _ = target.publish(letter)
        }
    }
}
