internal import Logging

extension AMQPConnection: ThreadLoop {
    package nonisolated func turn() -> PollInterest { assumeIsolated { $0.takeTurn() } }
    package nonisolated func descriptorReady() { assumeIsolated { $0.takeIn() } }

    /// Takes what tasks have asked for, encodes what is due, and writes once.
    func takeTurn() -> PollInterest {
        let now = world.now
        // After a pause of our own, what the broker sent meanwhile is still unread.
        if let session, session.hasUnread || session.isSilent(now: now) { takeIn() }
        let commandsDue = inbox.takeDue(into: &commands, now: now)
        carryOutTaken(now: now)
        if let due = alarms.next, now >= due { ring(now: now) }
        for publisher in publishers.values {
            publisher.expire(now: now)
            if publisher.isOver { handle(.done, of: publisher) }
        }
        var ownDeadline = Instant.earlier(commandsDue, alarms.next)
        let isBlocked = session?.blocked != nil
        for publisher in publishers.values {
            ownDeadline = .earlier(ownDeadline, publisher.wakeUp(isBlocked: isBlocked))
        }
        guard let session else { return PollInterest(deadline: ownDeadline) }
        do {
            try session.checkDeadlines(now: now)
            for consumer in consumers.values where consumer.hasSettled {
                try consumer.flush(session)
                if consumer.machine.isDraining, consumer.unsettled == 0 { handle(.settled, of: consumer) }
            }
            for publisher in publishers.values {
                if !isBlocked, publisher.isToBeRenewed(now: now) { handle(.renewalDue, of: publisher) }
                publisher.pump(session, now: now)
            }
            try session.write(now: now)
        } catch {
            lose(session, error)
            return PollInterest(deadline: now)
        }
        var interest = session.interest
        interest.deadline = .earlier(interest.deadline, ownDeadline)
        if session.hasUnread { interest.deadline = now }
        // The socket took everything, so there is room for more at once.
        if !interest.wantsWrite, session.blocked == nil, publishers.values.contains(where: { $0.wantsToPump(now: now) })
        {
            interest.deadline = now
        }
        return interest
    }

    /// Takes in what the socket has and hands it over.
    func takeIn() {
        guard let session else { return }
        let blocked = session.blocked
        do {
            try session.receive(now: world.now)
        } catch {
            lose(session, error)
        }
        var settlementsWait = false
        for consumer in consumers.values {
            let handedOver = consumer.handOver()
            if handedOver && consumer.settlesTogether { settlementsWait = true }
        }
        if settlementsWait { inbox.handedOut(now: world.now) }
        if session.blocked !== blocked, self.session === session {
            if machine.isOpen {
                // Both may come in one read: the end of one alarm, and the next.
                if blocked != nil { report(.unblocked) }
                if let blocked = session.blocked { report(.blocked(blocked.reason)) }
            }
            showStatus()
        }
    }

    /// Does what tasks have asked for since the last turn. Before something is closed this comes first, since a task
    /// that settled a delivery and then closed means the one to count before the other.
    func carryOutCommands() {
        inbox.takeAll(into: &commands)
        carryOutTaken(now: world.now)
    }

    private func carryOutTaken(now: Instant) {
        for command in commands { carryOut(command, now: now) }
        commands.removeAll(keepingCapacity: true)
    }

    func carryOut(_ command: Inbox.Command, now: Instant) {
        switch command {
        case .publish(let request):
            guard let publisher = publishers[request.publisher] else {
                return request.abandon(closed: machine.end ?? AMQPError(.connectionClosed, "the publisher is gone"))
            }
            publisher.submit(request, now: now)
        case .cancelPublish(let request):
            guard let publisher = publishers[request.publisher] else { return }
            publisher.cancel(request)
        case .releasePublisher(let id):
            publishers[id]?.isReleased = true
        case .settle(let channel, let deliveryTag, let settlement):
            if consumers[channel.consumer]?.settle(channel, deliveryTag, settlement) != true {
                logger.debug(
                    "a settlement changed nothing: the delivery was settled before, or its channel is gone",
                    metadata: ["delivery_tag": "\(deliveryTag)"])
            }
        case .release(let id, let unread):
            guard let consumer = consumers[id] else { return }
            release(consumer, unread: unread)
        }
    }
}
