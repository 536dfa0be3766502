import ActorBus
import ActorBusTesting

/// What publishers were told of each message, held against what the broker has.
struct PublishedMessages {
    enum Outcome: Equatable {
        case confirmed
        case returned
        case refused
        case surelyNotPublished
        case maybePublished
    }

    private struct Sent {
        /// The queue that it was published to; nil for none.
        let queue: Int?
        var outcome: Outcome?
    }

    private var sent: [String: Sent] = [:]
    /// Queues that were deleted, with what they held.
    var deleted: Set<Int> = []
    /// Queues that may have been away, so that what was published to them came back.
    var away: Set<Int> = []

    var count: Int { sent.count }

    static func name(of message: Message) -> String { message.properties.messageID ?? "?" }

    mutating func begins(_ message: String, to queue: Int?) { sent[message] = Sent(queue: queue) }

    /// Notes what a publisher was told; returns what is wrong with it.
    mutating func ends(_ message: String, as outcome: Outcome) -> String? {
        guard let before = sent[message] else { return "\(message) had an outcome before it was published" }
        sent[message]?.outcome = outcome
        if let earlier = before.outcome { return "\(message) had two outcomes: \(earlier) and \(outcome)" }
        guard let queue = before.queue else {
            return outcome == .confirmed ? "\(message) had nowhere to go, and was confirmed" : nil
        }
        return outcome == .returned && !deleted.contains(queue) && !away.contains(queue)
            ? "\(message) was called returned, and has a queue" : nil
    }

    /// What is wrong when everything is over.
    func findings(in broker: SimulatedBroker, queues: [String]) -> [String] {
        var kept: Set<String> = []
        for queue in queues { for message in broker.messages(in: queue) ?? [] { kept.insert(Self.name(of: message)) } }
        for settled in broker.settled where settled.settlement == .acknowledged {
            kept.insert(Self.name(of: settled.message))
        }
        for dead in broker.dead where dead.reason == "delivery_limit" { kept.insert(Self.name(of: dead.message)) }
        let published = Set(broker.published.map { Self.name(of: $0.message) })
        return sent.sorted { $0.key < $1.key }.compactMap { message, sent in
            let mayBeLost = sent.queue.map(deleted.contains) == true
            switch sent.outcome {
            case nil: return "\(message) had no outcome"
            case .confirmed where !kept.contains(message) && !mayBeLost: return "\(message) was confirmed and is lost"
            case .surelyNotPublished where published.contains(message):
                return "\(message) was published, and its publisher was told that it was surely not"
            // One that was written once, taken, and written again when its queue was not there, is returned in truth.
            case .returned where kept.contains(message) && !mayBeLost && sent.queue.map(away.contains) != true:
                return "\(message) is in its queue, and was called returned"
            default: return nil
            }
        }
    }
}
