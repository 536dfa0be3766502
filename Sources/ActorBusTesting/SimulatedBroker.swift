internal import ActorBus

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
/// ## Faults
/// ``kill(node:losingUnsynced:)``, ``start(node:)``, ``freeze(node:)``, ``thaw(node:)``, ``close(_:as:reason:)``,
/// ``deleteQueue(_:virtualHost:)``, ``setMemoryAlarm(_:)`` and the like do to it what befalls a broker. It has as many
/// nodes as it was made with: the classic queues of one that is killed are away until it starts, quorum queues go on
/// where most of their members are left.
///
/// ## What it does not cover
/// A client that asks for one of these is refused with 540 `NOT_IMPLEMENTED` and a text that ends in "is not simulated";
/// nothing is accepted and then left undone.
/// - Streams; `x-max-length-bytes` on the quorum queues of RabbitMQ 4.3; delayed retries (`x-delayed-retry-…`) and
///   `x-consumer-disconnected-timeout`.
/// - Transactions (class `tx`), a prefetch shared by a channel's consumers (`basic.qos` with `global`), direct reply-to,
///   credentials renewed on an open connection.
/// - Exchange types of plugins, which RabbitMQ without them refuses too (503).
/// - Methods and content headers that are malformed, or whose tables stand more than 32 deep in one another.
///
/// Not there at all, so that no client can ask for it: policies, topic permissions, mirrored classic queues, the
/// management interface, TLS, AMQP 1.0. No queue is ever slow: a delivery and what a queue counts are always what they
/// are once RabbitMQ has come to rest, and so is a confirm, unless ``setSyncTime(_:)`` says otherwise. Leaders of quorum
/// queues move at once. RabbitMQ 3.10 and 4.0 look once a minute for what has not been settled in time, the simulated
/// broker at the deadline.
public final class SimulatedBroker: Sendable {
    /// The RabbitMQ that it behaves like.
    public let version: RabbitMQVersion
    let core: Lock<Core>
    /// Where its nodes serve, in their order, and in which world; nil where they do not.
    let place = Lock<(endpoints: [ConnectionConfiguration.Endpoint], world: World)?>(nil)
    let changes = ChangeCounter()

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
    ///
    /// - Parameter nodes: how many nodes its cluster has; one where it is less.
    public init(version: RabbitMQVersion = .fourThree, nodes: Int = 1) {
        self.version = version
        // A Monday in 2026; the broker's clock begins there in every run.
        core = Lock(Core(model: BrokerModel(version: version, epoch: 1_767_600_000_000, nodes: nodes)))
    }

    /// Lets time pass for the broker at once: messages and queues expire, deliveries that are unsettled time out.
    /// Heartbeats do not go by this clock.
    public func advance(by duration: Duration) {
        core.withLock { core in
            let milliseconds = max(0, duration.wholeMilliseconds)
            core.lead += milliseconds
            core.model.advance(to: core.model.now + milliseconds)
            core.changed()
        }
    }

    // MARK: Users

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
}

extension Duration {
    /// As many as a century has at most, so that sums of them fit.
    var wholeMilliseconds: Int64 {
        let century: Int64 = 3_155_760_000
        let (seconds, attoseconds) = components
        return min(max(seconds, -century), century) * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
