internal import ActorBus

extension QueueModel {
    /// Why messages come back.
    enum Return { case nack, reject, recover, channelGone, consumerTimeout }

    func acknowledge(_ entries: [QueueEntry], of consumer: QueueConsumer?) {
        guard !isDeleted else { return }
        if broker.syncTime > 0 {
            let now = broker.now
            fading.removeAll { $0.syncedAt <= now }
            for entry in entries { fading.append((entry, now + broker.syncTime)) }
        }
        change {
            release(entries.count, of: consumer)
            run()
        }
    }

    /// Takes messages back, given in the order of their delivery.
    func takeBack(_ entries: [QueueEntry], of consumer: QueueConsumer?, because why: Return) {
        guard !isDeleted, !entries.isEmpty else { return }
        change {
            release(entries.count, of: consumer)
            for entry in entries { takeBack(entry, because: why) }
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
    }

    private func takeBack(_ entry: QueueEntry, because why: Return) {
        entry.wasDelivered = true
        if countsAsFailure(why) { entry.failures += 1 }
        guard isQuorum else {
            ready.insertByPosition(entry)
            readyBytes += Int64(entry.message.body.count)
            return
        }
        entry.returns += 1
        let counted = broker.version.limitCountsEveryReturn ? entry.returns : entry.failures
        if let limit = deliveryLimit, counted > limit { return deadLetter(entry, .deliveryLimit) }
        // Without a limit it is written anew, behind all others, but for what a channel leaves behind.
        if deliveryLimit == nil, why != .channelGone {
            ready.append(entry, lane: broker.version.quorumPriorities == .strict ? 4 : 0)
        } else {
            returned.append(entry, lane: 0)
        }
        readyBytes += Int64(entry.message.body.count)
    }

    func discard(_ entries: [QueueEntry], of consumer: QueueConsumer?, because why: Return) {
        guard !isDeleted else { return }
        change {
            release(entries.count, of: consumer)
            for entry in entries {
                if countsAsFailure(why) { entry.failures += 1 }
                deadLetter(entry, .rejected)
            }
            run()
        }
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
        chooseActive()
    }

    /// A consumer settles what it had not settled in time, and which went back long since.
    func settleLate(_ tags: [UInt64], of consumer: QueueConsumer) {
        guard !isDeleted else { return }
        consumer.late.subtract(tags)
        guard consumer.late.isEmpty else { return }
        change {
            rotation.readmit()
            chooseActive()
            run()
        }
    }

    // MARK: Dead letters

    func deadLetter(_ entry: QueueEntry, _ reason: DeathReason) {
        let isKept =
            isQuorum ? broker.version.quorumLettersKeepFailures : broker.version.classicLettersKeepFailures
        deadLetter(entry.message, reason, failures: isKept ? entry.failures : 0)
    }

    func deadLetter(_ message: BrokerMessage, _ reason: DeathReason, failures: Int64) {
        broker.record.died(message, in: self, reason)
        if options.keepsLettersUntilConfirmed { return letters.add(message, reason, failures: failures) }
        guard let exchange = options.deadLetterExchange, virtualHost.exchanges[exchange] != nil else { return }
        let letter = letter(of: message, reason, failures: failures, to: exchange)
        for target in virtualHost.route(letter) {
            if reason != .rejected, letter.isCycle(to: target.name, version: broker.version) { continue }
            _ = target.take(letter)
        }
    }

    func letter(
        of message: BrokerMessage, _ reason: DeathReason, failures: Int64, to exchange: String
    ) -> BrokerMessage {
        var letter = message.deadLettered(
            from: name, because: reason, to: exchange, routingKey: options.deadLetterRoutingKey,
            at: broker.secondsSince1970, version: broker.version)
        letter.failures = failures
        return letter
    }
}
