internal import ActorBus

/// A node of the broker.
struct NodeModel {
    let name: String
    var isUp = true
    var isFrozen = false
    /// How often it has started: what connections had with an earlier start is gone.
    var starts: UInt64 = 1
}

/// What becomes of what a broker had not written to disk when it was killed: messages and acknowledgments of the last
/// moments (``BrokerModel/syncTime``), whose confirms are still out.
enum UnsyncedFate { case kept, lost }

extension BrokerModel {
    /// Kills a node: its connections and what is not durable are gone. Its classic queues are away until it starts
    /// again; quorum queues choose another leader where most of their members are left.
    func kill(node index: Int, unsynced: UnsyncedFate) {
        guard nodes[index].isUp else { return }
        nodes[index].isUp = false
        nodes[index].isFrozen = false
        for connection in connections where connection.node == index {
            for channel in connection.sortedChannels { channel.isLost() }
            connection.end()
        }
        for host in sortedHosts {
            for queue in host.sortedQueues { queue.lose(node: index, unsynced: unsynced) }
            if !nodes.contains(where: \.isUp) { host.forgetWhatIsTransient() }
        }
        if !nodes.contains(where: \.isUp) { alarms = [] }
        resume()
    }

    /// Starts a node that was killed.
    func start(node index: Int) {
        guard !nodes[index].isUp else { return }
        nodes[index].isUp = true
        nodes[index].starts += 1
        for host in sortedHosts { for queue in host.sortedQueues where queue.node == index { queue.use() } }
        resume()
        for host in sortedHosts { for queue in host.sortedQueues { queue.forgetLost(of: index) } }
    }

    /// Stops a node without ending it, so that it says nothing any more, or lets it go on.
    func freeze(node index: Int, _ isFrozen: Bool) {
        guard nodes[index].isUp, nodes[index].isFrozen != isFrozen else { return }
        nodes[index].isFrozen = isFrozen
        resume()
    }

    /// Makes a node the leader of a quorum queue, as `rabbitmq-queues rebalance` does. False where it is none of its
    /// members, or not there.
    func moveLeader(of queue: QueueModel, to index: Int) -> Bool {
        guard queue.isQuorum, queue.members.contains(index), isServing(index) else { return false }
        queue.lead(from: index)
        resume()
        return true
    }

    func isServing(_ node: Int) -> Bool { nodes[node].isUp && !nodes[node].isFrozen }

    /// Goes on with whatever had waited for a queue.
    private func resume() {
        touch()
        for host in sortedHosts {
            for queue in host.sortedQueues {
                if queue.isQuorum, !isServing(queue.node), queue.hasMajority,
                    let leader = queue.members.first(where: isServing)
                {
                    queue.lead(from: leader)
                }
                queue.resume()
            }
        }
        for connection in connections where isServing(connection.node) {
            for channel in connection.sortedChannels { channel.resume() }
        }
    }
}

/// Whether a queue does what it is asked.
enum Availability: Equatable {
    case here
    /// It says nothing: its node is frozen, or most of its members are away.
    case silent
    /// The node of a classic queue is down.
    case away
}

extension QueueModel {
    var hasMajority: Bool { members.filter(broker.isServing).count * 2 > members.count }

    var availability: Availability {
        if isQuorum { return hasMajority && broker.isServing(node) ? .here : .silent }
        return !broker.nodes[node].isUp ? .away : broker.nodes[node].isFrozen ? .silent : .here
    }

    /// What a client is told that has asked in vain.
    var absence: ReplyError {
        if isQuorum || broker.version.waitsForAbsentQueues {
            return ReplyError(.notFound, "failed to perform operation on \(resource) due to timeout")
        }
        return ReplyError(
            .notFound, "home node '\(broker.nodes[node].name)' of durable \(resource) is down or inaccessible")
    }

    /// How long a client waits before it is told so, in milliseconds; nil for without end.
    var patience: Int64? {
        switch availability {
        case .here: 0
        case .away: broker.version.waitsForAbsentQueues ? 62_000 : 0
        case .silent: isQuorum ? 65_000 : nil
        }
    }

    func lead(from node: Int) {
        guard node != self.node else { return }
        self.node = node
        letters.restart()
    }

    /// A node is killed, which may be this queue's.
    func lose(node lost: Int, unsynced: UnsyncedFate) {
        guard lost == node else { return }
        if !isQuorum, !durable { return virtualHost.delete(self) }
        if !isQuorum {
            let consumers = rotation.all
            rotation.remove { _ in true }
            holder = nil
            hasHadConsumers = false
            for entry in broker.takeUnsettled(of: self) {
                entry.wasDelivered = true
                ready.insertByPosition(entry)
                readyBytes += Int64(entry.message.body.count)
            }
            for consumer in consumers.sorted(by: { $0.tag < $1.tag }) { consumer.channel.consumerIsGone(consumer) }
        }
        letters.restart()
        let now = broker.now
        // What a quorum queue has is with its other members too, while one of them is left.
        let isForgetful = unsynced == .lost && (!isQuorum || !broker.nodes.contains(where: \.isUp))
        let isLost = { (entry: QueueEntry) in
            !self.isQuorum && entry.message.properties.deliveryMode != .persistent
                || isForgetful && entry.syncedAt > now
        }
        ready.removeAll(where: isLost)
        returned.removeAll(where: isLost)
        if isForgetful {
            for (entry, syncedAt) in fading where syncedAt > now && !isLost(entry) {
                entry.wasDelivered = true
                if isQuorum { returned.append(entry, lane: 0) } else { ready.insertByPosition(entry) }
            }
        }
        fading = []
        // A classic queue does not know any more what it had handed out.
        if !isQuorum { for entry in ready.all { entry.wasDelivered = true } }
        readyBytes = messages.reduce(0) { $0 + Int64($1.body.count) }
    }

    /// Goes on, where it was silent or away.
    func resume() {
        guard availability == .here, !isDeleted else { return }
        let waiting = held
        held = []
        for publish in waiting { publish.report(self.publish(publish.message, from: publish.publisher) == .taken) }
        if letters.count > 0 { retryLetters() }
        change { run() }
    }
}
