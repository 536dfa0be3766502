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
        let waiting = rotation.all.filter { $0 !== holder && $0.late.isEmpty }
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
}
