public import ActorBus

/// RabbitMQ's model of AMQP 0-9-1 in memory, for tests that need no server: it is spoken to in real frames, and answers
/// with the codes and texts of the ``RabbitMQVersion`` that it was made with. A test of ActorBus holds it against real
/// brokers of each version.
///
/// ```swift
/// try await withSimulatedBroker { broker in
///     try await withConnection(to: broker.configuration) { connection in
///         …
///     }
///     #expect(broker.published.count == 1)
/// }
/// ```
///
/// Use it from any thread.
///
/// ## What it does not cover
/// A client that asks for one of these is refused with 540 `NOT_IMPLEMENTED` and a text that ends in "is not simulated";
/// nothing is accepted and then left undone.
/// - Streams; priority queues (`x-max-priority`), and priorities in the quorum queues of RabbitMQ 4; the dead letter
///   strategy `at-least-once`; `reject-publish` on quorum queues, and `x-max-length-bytes` on those of 4.3; `x-queue-version`; limits of memory
///   (`x-max-in-memory-…`); time-outs of single queues (`x-consumer-timeout`).
/// - Transactions (class `tx`), a prefetch shared by a channel's consumers (`basic.qos` with `global`), the headers `CC`
///   and `BCC`, direct reply-to, credentials renewed on an open connection.
/// - Exchange types of plugins, which RabbitMQ without them refuses too (503).
/// - Methods and content headers that are malformed, or whose tables stand more than 32 deep in one another.
///
/// Not there at all, so that no client can ask for it: policies, clusters and the loss of what is not durable at a
/// restart, the management interface, TLS, AMQP 1.0. No queue is ever slow: a confirm, a delivery and what a queue
/// counts are always what they are once RabbitMQ has come to rest.
public final class SimulatedBroker: Sendable {
    /// The RabbitMQ that it behaves like.
    public let version: RabbitMQVersion
    let core: Lock<Core>
    /// Where it serves; zero when it does not.
    let loopbackPort = Lock<UInt16>(0)
    let changes = ChangeCounter()
    /// Where it serves in a simulated world; nil where it does not.
    let place = Lock<(endpoint: ConnectionConfiguration.Endpoint, world: World)?>(nil)

    /// What the lock guards.
    struct Core {
        let model: BrokerModel
        /// What the model's clock is ahead of the time that passes by itself.
        var lead: Int64 = 0
        /// Called after whatever may have made output for connections.
        var changed: () -> Void = {}

        mutating func passTime(to time: Int64) { model.advance(to: time + lead) }
    }

    /// A broker with the virtual host `/` and the user `guest`, whose password is `guest`.
    public init(version: RabbitMQVersion = .fourThree) {
        self.version = version
        // A Monday in 2026; the broker's clock begins there in every run.
        core = Lock(Core(model: BrokerModel(version: version, epoch: 1_767_600_000_000)))
    }

    /// Lets time pass for the broker at once: messages and queues expire, deliveries that are unsettled time out.
    /// Heartbeats do not go by this clock.
    public func advance(by duration: Duration) {
        let (seconds, attoseconds) = duration.components
        core.withLock { core in
            let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
            core.lead += milliseconds
            core.model.advance(to: core.model.now + milliseconds)
            core.changed()
        }
    }

    // MARK: What has happened

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

    // MARK: What an operator does

    /// What a user may do in a virtual host: regular expressions over the names of queues and exchanges (RabbitMQ,
    /// "Access Control").
    public struct Permissions: Sendable {
        public var configure: String
        public var write: String
        public var read: String

        /// Everything, unless said otherwise.
        public init(configure: String = ".*", write: String = ".*", read: String = ".*") {
            self.configure = configure
            self.write = write
            self.read = read
        }
    }

    /// Makes a virtual host; one that is there is left as it is.
    public func addVirtualHost(_ name: String) { core.withLock { $0.model.addHost(name) } }

    /// Makes a user, or replaces him for the connections that begin from then on.
    public func setUser(_ name: String, password: String, permissions: [String: Permissions]) {
        core.withLock { core in
            core.model.users[name] = BrokerUser(
                name: name, password: password,
                permissions: permissions.mapValues {
                    BrokerUser.Permissions(configure: $0.configure, write: $0.write, read: $0.read)
                })
        }
    }

    /// Raises or ends the memory alarm: connections that publish are blocked, and read no more from.
    public func setMemoryAlarm(_ isOn: Bool) {
        core.withLock { core in
            core.model.set(.memory, isOn)
            core.changed()
        }
    }

    /// How long a delivery may wait for its settlement; nil for no limit. RabbitMQ's own half an hour holds at first.
    /// It looks once a minute, the simulated broker at the deadline.
    public func setConsumerTimeout(_ timeout: Duration?) {
        core.withLock { core in
            core.model.consumerTimeout = timeout.map {
                let (seconds, attoseconds) = $0.components
                return seconds * 1000 + attoseconds / 1_000_000_000_000_000
            }
        }
    }

    /// Deletes a queue, as `rabbitmqctl delete_queue` does: its consumers are told, its messages are gone.
    public func deleteQueue(_ queue: String, virtualHost: String = "/") {
        core.withLock { core in
            guard let host = core.model.hosts[virtualHost], let queue = host.queues[queue] else { return }
            host.delete(queue)
            core.changed()
        }
    }

    /// Closes every connection with 320, as `rabbitmqctl close_all_connections` does.
    public func closeAllConnections(reason: String = "closed by the test") {
        core.withLock { core in
            core.model.closeAllConnections(reason: reason)
            core.changed()
        }
    }
}

extension BrokerMessage {
    fileprivate var forUsers: Message { Message(body: body, properties: properties) }
}

extension BrokerRecord.Settlement {
    fileprivate var forUsers: SimulatedBroker.SettledMessage.Settlement {
        switch self {
        case .acknowledged: .acknowledged
        case .rejected: .rejected
        case .returned: .returned
        }
    }
}
