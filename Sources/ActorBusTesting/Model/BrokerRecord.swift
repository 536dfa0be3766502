internal import ActorBus

/// What has happened in a broker, in order, for whoever checks it afterwards.
struct BrokerRecord {
    enum Settlement { case acknowledged, rejected, returned }

    /// Who has brought a delivery to its end.
    enum Settler {
        /// The client, by a settlement.
        case client
        /// The client, by closing the channel or the connection in good order.
        case goodbye
        /// The broker: channel, connection or node is gone.
        case loss
        /// The broker, while the channel lives: it was not settled in time, or its queue went down with a node.
        case recall
    }

    /// One delivery; a message may have many.
    struct Delivery {
        var message: BrokerMessage
        var queue: String
        /// The channel's number in the whole broker.
        var channel: UInt64
        /// Nil while it is unsettled.
        var end: (how: Settlement, by: Settler, at: Int64)?
    }

    /// What a client has asked for, of what it may have to ask for again and again.
    struct Request {
        enum Kind: Hashable {
            case declare(queue: String)
            case consume(tag: String)
            case confirms
        }

        var connection: UInt64
        var kind: Kind
        var at: Int64
    }

    var published: [(message: BrokerMessage, queues: [String])] = []
    var settled: [(message: BrokerMessage, queue: String, how: Settlement)] = []
    var died: [(message: BrokerMessage, queue: String, reason: DeathReason)] = []
    private(set) var deliveries: [Delivery] = []
    /// The number of the first of them: no two deliveries have the same, whatever is forgotten.
    private var firstDelivery = 0
    private(set) var requests: [Request] = []
    var isKept = true

    mutating func published(_ message: BrokerMessage, queues: [String]) {
        if isKept { published.append((message, queues)) }
    }

    /// Notes a delivery, and returns its number.
    mutating func delivered(_ message: BrokerMessage, of queue: String, on channel: UInt64) -> Int {
        guard isKept else { return -1 }
        deliveries.append(Delivery(message: message, queue: queue, channel: channel))
        return firstDelivery + deliveries.count - 1
    }

    mutating func settled(_ entries: [ChannelModel.Unsettled], as how: Settlement, by settler: Settler, at time: Int64)
    {
        guard isKept else { return }
        for entry in entries {
            settled.append((entry.entry.message, entry.queue.name, how))
            let position = entry.number - firstDelivery
            if deliveries.indices.contains(position) { deliveries[position].end = (how, settler, time) }
        }
    }

    mutating func asked(_ kind: Request.Kind, by connection: UInt64, at time: Int64) {
        if isKept { requests.append(Request(connection: connection, kind: kind, at: time)) }
    }

    mutating func clear() {
        let next = firstDelivery + deliveries.count
        let isKept = isKept
        self = BrokerRecord()
        firstDelivery = next
        self.isKept = isKept
    }

    mutating func died(_ message: BrokerMessage, in queue: QueueModel, _ reason: DeathReason) {
        if isKept { died.append((message, queue.name, reason)) }
    }
}
