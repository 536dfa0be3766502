extension QueueModel {
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
        chooseActive()
        start()
        change { run() }
    }

    /// Takes consumers away; deletes the queue where they were its last and it is to go with them.
    func remove(where isGone: (QueueConsumer) -> Bool) {
        let gone = rotation.all.filter(isGone)
        guard !gone.isEmpty else { return }
        rotation.remove(where: isGone)
        if isQuorum { cancelled += gone.filter { $0.unsettled > 0 } }
        if let current = holder, isGone(current) {
            holder = options.singleActiveConsumer && !isQuorum ? rotation.waiting.first ?? rotation.full.first : nil
        }
        chooseActive()
        use()
        if autoDelete, hasHadConsumers, rotation.isEmpty, availability == .here {
            virtualHost.delete(self)
        } else {
            change { run() }
        }
    }

    /// Who of the consumers of a single active consumer quorum queue is the active one.
    func chooseActive() {
        guard isQuorum, options.singleActiveConsumer else { return }
        if let current = holder, !current.late.isEmpty || current.isQuiescing && current.unsettled == 0 {
            current.isQuiescing = false
            holder = nil
        }
        let waiting = rotation.all.filter { $0 !== holder && $0.late.isEmpty && !$0.isLost }
        let next =
            broker.version.singleActiveConsumersHavePriorities
            ? waiting.min { ($1.priority, $1.credit, $0.number) < ($0.priority, $0.credit, $1.number) }
            : waiting.min { $0.number < $1.number }
        guard let next else { return }
        guard let current = holder else {
            holder = next
            return
        }
        guard broker.version.singleActiveConsumersHavePriorities, next.priority > current.priority else { return }
        if current.unsettled == 0 { holder = next } else { current.isQuiescing = true }
    }

    // MARK: Lost consumers

    /// The node of a consumer is gone. It counts until that node is there again; what it has goes back, at once or
    /// after a while.
    func lose(_ consumer: QueueConsumer?, _ entries: [QueueEntry], node: Int) {
        consumer?.isLost = true
        consumer?.isGone = true
        let until = broker.now + options.lostConsumerTimeout
        let waits = broker.version.waitsForLostConsumers
        lost.append(LostDeliveries(node: node, consumer: consumer, entries: waits ? entries : [], until: until))
        guard !waits else { return }
        if let consumer, holder === consumer { holder = nil }
        takeBack(entries, of: consumer, because: .channelGone)
        chooseActive()
        change { run() }
    }

    /// Takes back what has waited long enough. A single active consumer makes room then, and no sooner.
    func takeBackWhatIsLost() {
        for index in lost.indices where !lost[index].entries.isEmpty && lost[index].until <= broker.now {
            let (entries, consumer) = (lost[index].entries, lost[index].consumer)
            lost[index].entries = []
            if let consumer, holder === consumer { holder = nil }
            takeBack(entries, of: consumer, because: .consumerTimeout)
        }
    }

    /// A node is there again, and the consumers that it had are not. Until the queue finds out they take what they can.
    func forgetLost(of node: Int) {
        let gone = lost.filter { $0.node == node }
        guard !gone.isEmpty else { return }
        lost.removeAll { $0.node == node }
        for one in gone { one.consumer?.isLost = false }
        change {
            rotation.readmit()
            chooseActive()
            run()
        }
        for one in gone { one.consumer?.isLost = true }
        for one in gone {
            let taken = one.consumer?.takenInVain ?? []
            one.consumer?.takenInVain = []
            takeBack(one.entries + taken, of: one.consumer, because: .channelGone)
        }
        remove { consumer in gone.contains { $0.consumer === consumer } }
    }
}
