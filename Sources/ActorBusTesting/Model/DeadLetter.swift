internal import ActorBus

extension BrokerMessage {
    /// The message as its queue publishes it to a dead letter exchange (RabbitMQ, "Dead Letter Exchanges").
    func deadLettered(
        from queue: String, because reason: DeathReason, to exchange: String, routingKey: String?, at seconds: UInt64,
        version: RabbitMQVersion
    ) -> BrokerMessage {
        var letter = self
        letter.encodedProperties = nil
        letter.properties.expiration = nil
        let death = Death(
            queue: queue, reason: reason, count: 1, time: seconds, exchange: self.exchange,
            routingKeys: Array(routingKeys.dropLast(blindKeyCount)),
            originalExpiration: properties.expiration)
        if version.keepsDeathsItself {
            letter.remember(death)
        } else {
            letter.writeDeath(death)
            if routingKey != nil { letter.properties.headers["CC"] = nil }
        }
        letter.exchange = exchange
        if let routingKey {
            letter.routingKeys = [routingKey]
            letter.blindKeyCount = 0
        }
        return letter
    }

    /// Whether `queue` would get back a message that died there, with no client's rejection since: such a message is
    /// dropped.
    func isCycle(to queue: String, version: RabbitMQVersion) -> Bool {
        let past: [(queue: String?, reason: String?)]
        if version.keepsDeathsItself {
            past = deaths.map { ($0.queue, $0.reason.rawValue) }
        } else {
            guard case .array(let entries)? = properties.headers["x-death"] else { return false }
            past = entries.map { entry in
                guard case .table(let table) = entry else { return (nil, nil) }
                return (table["queue"]?.text, table["reason"]?.text)
            }
        }
        guard let last = past.firstIndex(where: { $0.queue == queue }) else { return false }
        return past[...last].allSatisfy { $0.reason != nil && $0.reason != DeathReason.rejected.rawValue }
    }

    private mutating func remember(_ death: Death) {
        if let index = deaths.firstIndex(where: { $0.queue == death.queue && $0.reason == death.reason }) {
            var known = deaths.remove(at: index)
            known.count += 1
            deaths.insert(known, at: 0)
        } else {
            deaths.insert(death, at: 0)
        }
        let first = firstDeath ?? death
        firstDeath = first
        properties.headers["x-death"] = .array(deaths.map(\.table))
        properties.headers["x-first-death-reason"] = .string(first.reason.rawValue)
        properties.headers["x-first-death-queue"] = .string(first.queue)
        properties.headers["x-first-death-exchange"] = .string(first.exchange)
        properties.headers["x-last-death-reason"] = .string(death.reason.rawValue)
        properties.headers["x-last-death-queue"] = .string(death.queue)
        properties.headers["x-last-death-exchange"] = .string(death.exchange)
    }

    /// Writes the death into the header, among those that are there, whoever wrote them.
    private mutating func writeDeath(_ death: Death) {
        guard case .array(let entries)? = properties.headers["x-death"] else {
            if properties.headers["x-death"] == nil {
                properties.headers["x-first-death-reason"] = .string(death.reason.rawValue)
                properties.headers["x-first-death-queue"] = .string(death.queue)
                properties.headers["x-first-death-exchange"] = .string(death.exchange)
            }
            properties.headers["x-death"] = .array([death.table])
            return
        }
        var others: [FieldValue] = []
        var newest = death.table
        for entry in entries {
            guard case .table(var table) = entry, table["queue"]?.text == death.queue,
                table["reason"]?.text == death.reason.rawValue
            else {
                others.append(entry)
                continue
            }
            table["count"] = .int64((table["count"]?.integer ?? 0) + 1)
            newest = .table(table)
        }
        properties.headers["x-death"] = .array([newest] + others)
    }
}
