import ActorBus
import ActorBusTesting

extension Run {
    func befall(_ fault: Scenario.Fault) async {
        do {
            try await simulated.sleep(for: fault.at)
            guard isStormy else { return }
            faults += 1
            simulated.tell("fault: \(fault.kind)")
            try await befall(fault.kind)
        } catch {
            find("a fault was cancelled: \(error)")
        }
    }

    private func befall(_ kind: Scenario.Fault.Kind) async throws {
        let network = simulated.network
        func lasting(_ span: Duration, _ begin: () -> Void, _ end: () -> Void) async throws {
            begin()
            try await simulated.sleep(for: span)
            // In the calm everything has ended already.
            if isStormy { end() }
        }
        switch kind {
        case .reset(let node): network.breakConnections(to: nodeNames[node])
        case .silence(let node): network.breakConnections(to: nodeNames[node], .silence)
        case .down(let node, let span):
            let name = nodeNames[node]
            try await lasting(span, { network.shutDown(name) }, { network.startAgain(name) })
        case .frozen(let node, let span):
            let name = nodeNames[node]
            try await lasting(span, { network.freeze(name) }, { network.thaw(name) })
        case .nameless(let node, let span):
            let (name, addresses) = (nodeNames[node], addresses[node])
            try await lasting(
                span, { network.setAddresses([], of: name) }, { network.setAddresses(addresses, of: name) })
        case .closedByOperator: broker.closeAllConnections()
        case .alarm(let span):
            try await lasting(span, { broker.setMemoryAlarm(true) }, { broker.setMemoryAlarm(false) })
        case .deleted(let queue): delete(queue)
        case .redeclared(let queue):
            published.deleted.insert(queue)
            redeclared.insert(queue)
            broker.replaceQueue(Self.queueName(queue), arguments: ["x-max-length": .int64(1_000_000)])
        case .channelClosed: closeAnyChannel()
        case .killed(let node, let span, let losingUnsynced):
            mayMissQueues()
            try await lasting(
                span, { broker.kill(node: node, losingUnsynced: losingUnsynced) }, { broker.start(node: node) })
        case .stopped(let node, let span):
            try await lasting(span, { broker.freeze(node: node) }, { broker.thaw(node: node) })
        case .leaderMoved(let queue, let node): broker.moveLeader(of: Self.queueName(queue), to: node)
        case .withoutRight(let right, let span):
            try await lasting(span, { setRights(without: right) }, { setRights(without: nil) })
        case .confirmsLost(let span):
            try await lasting(span, { broker.loseConfirms(true) }, { broker.loseConfirms(false) })
        case .confirmsRefused(let span):
            try await lasting(span, { refuseConfirms() }, { broker.refuseConfirms(false) })
        }
    }

    /// Something that happens at the broker just when a user of the queue stops, so that the two meet on their way.
    func befall(_ parting: Scenario.ConsumerPlan.Parting, of queue: Int) {
        simulated.task {
            do { try await self.pause(for: self.chance(30) ? .zero : self.duration(upTo: .milliseconds(100))) } catch {
                return
            }
            guard self.isStormy else { return }
            self.faults += 1
            self.simulated.tell("fault: \(parting) of \(Self.queueName(queue))")
            switch parting {
            case .deleted: self.delete(queue)
            case .channelClosed: self.closeAnyChannel()
            case .reset: for name in self.nodeNames { self.simulated.network.breakConnections(to: name) }
            }
        }
    }

    private func delete(_ queue: Int) {
        published.deleted.insert(queue)
        broker.deleteQueue(Self.queueName(queue))
    }

    /// A classic queue is away with its node.
    private func mayMissQueues() { published.away.formUnion(scenario.queues.indices) }

    /// Reasons that pass, and no right that is missing.
    private func closeAnyChannel() {
        let connections = broker.connections.filter { !$0.channels.isEmpty }
        guard !connections.isEmpty else { return }
        let connection = connections[number(below: connections.count)]
        let channel = connection.channels[number(below: connection.channels.count)]
        let faults: [SimulatedBroker.ChannelFault] = [.notFound, .resourceLocked, .preconditionFailed]
        broker.close(channel: channel, of: connection, as: faults[number(below: faults.count)], reason: "a fault")
    }

    /// Every connection begins anew with the rights of then.
    private func setRights(without right: Scenario.Fault.Right?) {
        let permissions = SimulatedBroker.Permissions(
            configure: right == .configure ? "" : ".*", write: right == .write ? "" : ".*",
            read: right == .read ? "" : ".*")
        broker.setUser("guest", password: "guest", permissions: ["/": permissions])
        // Those that are only logging in have the rights of before, too.
        for name in nodeNames { simulated.network.breakConnections(to: name) }
    }

    /// Channels that publishers have are lost, and no other is to be had.
    private func refuseConfirms() {
        broker.refuseConfirms(true)
        broker.closeAllConnections()
    }

    /// Ends all faults.
    func calm() {
        isStormy = false
        simulated.tell("all faults are over")
        for (number, (name, addresses)) in zip(nodeNames, addresses).enumerated() {
            simulated.network.startAgain(name)
            simulated.network.thaw(name)
            simulated.network.setAddresses(addresses, of: name)
            broker.start(node: number)
            broker.thaw(node: number)
        }
        simulated.network.spareOpenConnections()
        broker.setMemoryAlarm(false)
        broker.loseConfirms(false)
        broker.refuseConfirms(false)
        for queue in redeclared.sorted() { delete(queue) }
        if scenario.faults.contains(where: { if case .withoutRight = $0.kind { true } else { false } }) {
            setRights(without: nil)
        }
        if scenario.consumerTimeout != nil {
            broker.setConsumerTimeout(.seconds(1_800))
            // Consumers of RabbitMQ 4.3 keep the time-out with which they began.
            broker.closeAllConnections()
        }
    }
}
