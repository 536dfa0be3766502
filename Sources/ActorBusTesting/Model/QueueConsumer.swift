internal import ActorBus

/// One consumer of a queue, on one channel.
final class QueueConsumer {
    /// In the order of their registration.
    let number: UInt64
    let tag: String
    unowned let channel: ChannelModel
    let noAck: Bool
    /// How many deliveries it may have unsettled; zero for any number.
    let prefetch: Int
    let priority: Int64
    /// How long its deliveries may wait for their settlement, in milliseconds; nil where the queue's type has no such
    /// limit.
    let timeout: Int64?
    var unsettled = 0
    /// The delivery tags of what it has not settled in time. It gets nothing more until it has settled them.
    var late: Set<UInt64> = []
    /// The active consumer of a single active consumer queue, about to make room for one of a higher priority.
    var isQuiescing = false

    init(
        number: UInt64, tag: String, channel: ChannelModel, noAck: Bool, prefetch: Int, priority: Int64, timeout: Int64?
    ) {
        self.number = number
        self.tag = tag
        self.channel = channel
        self.noAck = noAck
        self.prefetch = prefetch
        self.priority = priority
        self.timeout = timeout
    }

    var isFull: Bool { !noAck && prefetch > 0 && unsettled >= prefetch || !late.isEmpty }
    /// How many deliveries a quorum queue would hand out to it now.
    var credit: Int { (prefetch > 0 ? prefetch : 2000) - unsettled }
}

/// Whose turn it is among the consumers of a queue: those of the highest priority one after the other, and of the
/// others none unless all above them are full.
struct ConsumerRotation {
    private(set) var waiting: [QueueConsumer] = []
    /// Full when their turn came, in that order.
    private(set) var full: [QueueConsumer] = []
    /// Whether a consumer leaves its turn as soon as it is full (quorum queues), and not only when it cannot take the
    /// next message (classic queues).
    let leavesWhenFull: Bool

    init(leavesWhenFull: Bool) { self.leavesWhenFull = leavesWhenFull }

    var all: [QueueConsumer] { waiting + full }
    var isEmpty: Bool { waiting.isEmpty && full.isEmpty }

    mutating func add(_ consumer: QueueConsumer) {
        let end = waiting.firstIndex { $0.priority < consumer.priority } ?? waiting.count
        waiting.insert(consumer, at: end)
    }

    mutating func remove(where isGone: (QueueConsumer) -> Bool) {
        waiting.removeAll(where: isGone)
        full.removeAll(where: isGone)
    }

    /// The consumer that takes the next message, which then is last of its priority.
    mutating func next() -> QueueConsumer? {
        while let consumer = waiting.first {
            waiting.removeFirst()
            if consumer.isFull {
                full.append(consumer)
                continue
            }
            add(consumer)
            return consumer
        }
        return nil
    }

    mutating func tookMessage(_ consumer: QueueConsumer) {
        guard leavesWhenFull, consumer.isFull else { return }
        if let index = waiting.firstIndex(where: { $0 === consumer }) { full.append(waiting.remove(at: index)) }
    }

    /// Those that were full and no longer are take their turn again, as the last ones.
    mutating func readmit() {
        let ready = full.filter { !$0.isFull }
        full.removeAll { !$0.isFull }
        for consumer in ready { add(consumer) }
    }
}
