internal import ActorBus

/// RabbitMQ's model of AMQP 0-9-1: virtual hosts, users, connections, and a clock that others move.
///
/// Pure and on one thread: the same calls in the same order have the same results, in every run and every process.
final class BrokerModel {
    enum Alarm: String { case memory, disk }

    let version: RabbitMQVersion
    /// Milliseconds since the broker began.
    private(set) var now: Int64 = 0
    /// Where the broker's clock began, in milliseconds since 1970; what its time stamps count from.
    var epoch: Int64
    private(set) var hosts: [String: VirtualHost] = [:]
    var users: [String: BrokerUser] = [:]
    var alarms: Set<Alarm> = []
    var nodes: [NodeModel] { didSet { touch() } }
    /// How long a durable queue takes to write to disk, in milliseconds. Confirms wait for it.
    var syncTime: Int64 = 0
    /// How long a delivery may wait for its settlement, in milliseconds; nil for no limit.
    var consumerTimeout: Int64? = 1_800_000 { didSet { touch() } }
    /// The largest body, in bytes.
    var maximumMessageSize: Int
    var record = BrokerRecord()
    private(set) var connections: [ConnectionModel] = []
    private var connectionCount: UInt64 = 0
    private var nameCount: UInt64 = 0
    private var messageCount: UInt64 = 0
    private var consumerCount: UInt64 = 0
    private var publisherCount: UInt64 = 0

    init(version: RabbitMQVersion, epoch: Int64, nodes count: Int = 1) {
        self.version = version
        nodes = (1...max(1, count)).map { NodeModel(name: "rabbit@node-\($0)") }
        self.epoch = epoch
        maximumMessageSize = version.maximumMessageSize
        addHost("/")
        users["guest"] = BrokerUser(name: "guest", password: "guest", permissions: ["/": .init()])
    }

    func addHost(_ name: String) {
        if hosts[name] == nil { hosts[name] = VirtualHost(name: name, broker: self) }
    }

    var secondsSince1970: UInt64 { UInt64((epoch + now) / 1000) }

    // MARK: Connections

    /// A connection for a user who is logged in; throws 530 where the virtual host is not for him.
    func connect(
        user: BrokerUser, host name: String, channelMax: UInt16, capabilities: FieldTable, node: Int = 0,
        output: @escaping (ServerMethod, UInt16, Content?) -> Void
    ) throws(ReplyError) -> ConnectionModel {
        guard let host = hosts[name] else { throw ReplyError(.notAllowed, "vhost \(name) not found") }
        guard user.permissions[name] != nil else {
            throw ReplyError(.notAllowed, "access to vhost '\(name)' refused for user '\(user.name)'")
        }
        connectionCount += 1
        let connection = ConnectionModel(
            number: connectionCount, broker: self, user: user, host: host, node: node, channelMax: channelMax,
            capabilities: capabilities, output: output)
        connections.append(connection)
        return connection
    }

    func forget(_ connection: ConnectionModel) {
        touch()
        connections.removeAll { $0 === connection }
    }

    /// Closes every connection, as an operator does (`rabbitmqctl close_all_connections`).
    func closeAllConnections(reason: String) {
        touch()
        for connection in connections {
            connection.close(for: ReplyError(.connectionForced, reason), method: 0)
        }
    }

    func set(_ alarm: Alarm, _ isOn: Bool) {
        touch()
        if isOn { alarms.insert(alarm) } else { alarms.remove(alarm) }
        guard alarms.isEmpty else { return }
        for connection in connections { connection.alarmsAreOver() }
    }

    /// Takes from all channels what a queue has handed out and nobody has settled.
    func takeUnsettled(of queue: QueueModel) -> [QueueEntry] {
        connections.flatMap { $0.sortedChannels.flatMap { $0.lose(queue) } }
    }

    var sortedHosts: [VirtualHost] { hosts.values.sorted { $0.name < $1.name } }

    // MARK: Time

    /// When something happens by itself: a message or a queue expires, a delivery has waited too long, a confirm is due.
    var nextDeadline: Int64? {
        if let known { return known }
        let next = earliestDeadline
        known = .some(next)
        return next
    }

    /// The next deadline, while nothing has happened that could change it.
    private var known: Int64??

    /// To be called when anything happens that a deadline may come from: a client is heard or gone, an operator does something.
    func touch() { known = nil }

    private var earliestDeadline: Int64? {
        var next: Int64?
        for host in hosts.values { for queue in host.queues.values { next = .earlier(next, queue.nextDeadline) } }
        for connection in connections where isServing(connection.node) {
            for channel in connection.channels.values { next = .earlier(next, channel.nextDeadline) }
        }
        return next
    }

    /// Moves the clock, and does all that falls due until then, in the order of the deadlines.
    func advance(to time: Int64) {
        while let deadline = nextDeadline, deadline <= time {
            now = max(now, deadline)
            touch()
            for host in sortedHosts {
                for queue in host.sortedQueues where !queue.isDeleted { queue.passTime() }
            }
            for connection in connections where isServing(connection.node) {
                for channel in connection.sortedChannels { channel.passTime() }
            }
        }
        now = max(now, time)
    }

    // MARK: Names

    func nextConsumerNumber() -> UInt64 {
        consumerCount += 1
        return consumerCount
    }

    func nextPublisherNumber() -> UInt64 {
        publisherCount += 1
        return publisherCount
    }

    func nextMessageNumber() -> UInt64 {
        messageCount += 1
        return messageCount
    }

    /// A name that the broker makes up, such as `amq.gen-000000000000000000000A`.
    func nextName(_ prefix: String) -> String {
        nameCount += 1
        let digits = String(nameCount, radix: 36, uppercase: true)
        return prefix + String(repeating: "0", count: 22 - digits.count) + digits
    }
}

extension Int64? {
    /// The earlier of two times, where nil is never.
    static func earlier(_ left: Int64?, _ right: Int64?) -> Int64? {
        guard let left else { return right }
        guard let right else { return left }
        return Swift.min(left, right)
    }
}
