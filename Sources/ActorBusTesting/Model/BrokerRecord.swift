internal import ActorBus

/// What has happened in a broker, in order, for whoever checks it afterwards.
struct BrokerRecord {
    enum Settlement { case acknowledged, rejected, returned }

    var published: [(message: BrokerMessage, queues: [String])] = []
    var settled: [(message: BrokerMessage, queue: String, how: Settlement)] = []
    var died: [(message: BrokerMessage, queue: String, reason: DeathReason)] = []
    var isKept = true

    mutating func published(_ message: BrokerMessage, queues: [String]) {
        if isKept { published.append((message, queues)) }
    }

    mutating func settled(_ entries: [ChannelModel.Unsettled], as how: Settlement) {
        guard isKept else { return }
        for entry in entries { settled.append((entry.entry.message, entry.queue.name, how)) }
    }

    mutating func died(_ message: BrokerMessage, in queue: QueueModel, _ reason: DeathReason) {
        if isKept { died.append((message, queue.name, reason)) }
    }
}
