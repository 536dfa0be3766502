public import ActorBus

/// What a broker has seen and what it holds, for a test to look at afterwards.
///
/// ```swift
/// try await broker.waitUntilSettled("orders", "orders.dlq")
/// #expect(broker.published(to: "events").map(\.type) == ["order", "payment"])
/// #expect(broker.messages(in: "orders.dlq")?.count == 1)
/// #expect(broker.summary(of: "orders")?.dead == ["rejected": 1])
/// ```
extension SimulatedBroker {
    /// A message that a client has published, with the queues that took or refused it.
    public struct PublishedMessage: Sendable {
        public var exchange: String
        public var routingKey: String
        public var message: Message
        /// The queues to which it was routed, in the order of their names; none when it was returned or dropped.
        public var queues: [String]
    }

    /// A delivery that came to its end.
    public struct SettledMessage: Sendable {
        public enum Settlement: Sendable {
            case acknowledged
            /// Rejected, or acknowledged negatively, and not put back.
            case rejected
            /// Put back into its queue, by the client or because its channel ended.
            case returned
        }

        public var queue: String
        public var message: Message
        public var settlement: Settlement
    }

    /// A message that left its queue for a reason that dead-letters it, whether or not the queue has somewhere to send
    /// it.
    public struct DeadMessage: Sendable {
        public var queue: String
        /// RabbitMQ's word: `expired`, `rejected`, `maxlen`, `delivery_limit`.
        public var reason: String
        public var message: Message
    }

    /// All that was published, in order. Dead letters are not published again in this sense.
    public var published: [PublishedMessage] {
        core.withLock { core in
            core.model.record.published.map { message, queues in
                PublishedMessage(
                    exchange: message.exchange, routingKey: message.routingKey, message: message.forUsers,
                    queues: queues)
            }
        }
    }

    /// All deliveries that were settled, in order.
    public var settled: [SettledMessage] {
        core.withLock { core in
            core.model.record.settled.map { message, queue, how in
                SettledMessage(queue: queue, message: message.forUsers, settlement: how.forUsers)
            }
        }
    }

    /// All messages that died in a queue, in order.
    public var dead: [DeadMessage] {
        core.withLock { core in
            core.model.record.died.map { message, queue, reason in
                DeadMessage(queue: queue, reason: reason.rawValue, message: message.forUsers)
            }
        }
    }

    /// How many messages are ready in a queue; nil when there is no such queue.
    public func depth(of queue: String, virtualHost: String = "/") -> Int? {
        core.withLock { $0.model.hosts[virtualHost]?.queues[queue]?.readyCount }
    }

    /// The messages that are ready in a queue, the next one first; nil when there is no such queue.
    public func messages(in queue: String, virtualHost: String = "/") -> [Message]? {
        core.withLock { $0.model.hosts[virtualHost]?.queues[queue]?.messages.map(\.forUsers) }
    }

    /// How many consumers a queue has; nil when there is no such queue.
    public func consumers(of queue: String, virtualHost: String = "/") -> Int? {
        core.withLock { $0.model.hosts[virtualHost]?.queues[queue]?.consumerCount }
    }

    // MARK: Of one exchange or queue

    /// What clients have published to an exchange, in order; with a routing key where one is given.
    public func published(to exchange: String, routingKey: String? = nil) -> [Message] {
        published.filter { $0.exchange == exchange && (routingKey ?? $0.routingKey) == $0.routingKey }.map(\.message)
    }

    /// What was settled in a queue in one way, in order.
    public func settled(in queue: String, as settlement: SettledMessage.Settlement) -> [Message] {
        settled.filter { $0.queue == queue && $0.settlement == settlement }.map(\.message)
    }

    /// What died in a queue, in order; for one reason where one is given, such as `expired`.
    public func dead(in queue: String, because reason: String? = nil) -> [Message] {
        dead.filter { $0.queue == queue && (reason == nil || $0.reason == reason) }.map(\.message)
    }

    /// What a queue has handed out and nobody has settled; nil when there is no such queue.
    public func unsettled(of queue: String, virtualHost: String = "/") -> [Message]? {
        core.withLock { core in
            guard let queue = core.model.hosts[virtualHost]?.queues[queue] else { return nil }
            return core.model.connections.flatMap { connection in
                connection.sortedChannels.flatMap { $0.unsettled(of: queue) }.map(\.message.forUsers)
            }
        }
    }

    /// A queue's messages in numbers.
    public struct QueueSummary: Sendable, Hashable, CustomStringConvertible {
        /// What clients have published that was routed to it.
        public var published: Int
        public var ready: Int
        public var unsettled: Int
        public var acknowledged: Int
        /// How often a message came back to it.
        public var returned: Int
        /// What died in it, by reason.
        public var dead: [String: Int]

        public var description: String {
            let deaths = dead.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
            return "\(published) published, \(ready) ready, \(unsettled) unsettled, \(acknowledged) acknowledged, "
                + "\(returned) returned" + (deaths.isEmpty ? "" : ", dead: \(deaths)")
        }
    }

    /// What has become of a queue's messages; nil when there is no such queue.
    public func summary(of queue: String, virtualHost: String = "/") -> QueueSummary? {
        guard let ready = depth(of: queue, virtualHost: virtualHost),
            let unsettled = unsettled(of: queue, virtualHost: virtualHost)
        else { return nil }
        var dead: [String: Int] = [:]
        for message in self.dead where message.queue == queue { dead[message.reason, default: 0] += 1 }
        return QueueSummary(
            published: published.count { $0.queues.contains(queue) }, ready: ready, unsettled: unsettled.count,
            acknowledged: settled.count { $0.queue == queue && $0.settlement == .acknowledged },
            returned: settled.count { $0.queue == queue && $0.settlement == .returned }, dead: dead)
    }

    /// Forgets what has happened so far; the queues keep what they hold.
    public func clearRecord() { core.withLock { $0.model.record.clear() } }
}

extension BrokerMessage {
    var forUsers: Message { Message(body: body, properties: properties) }
}

extension BrokerRecord.Settlement {
    var forUsers: SimulatedBroker.SettledMessage.Settlement {
        switch self {
        case .acknowledged: .acknowledged
        case .rejected: .rejected
        case .returned: .returned
        }
    }
}
