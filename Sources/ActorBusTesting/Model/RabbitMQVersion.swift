/// The RabbitMQ that a simulated broker behaves like. Each represents its series; where the series differ, the
/// difference has a name here, and the model asks for it by that name.
public enum RabbitMQVersion: String, Sendable, Hashable, CaseIterable {
    case threeTen = "3.10.8"
    case four = "4.0.5"
    case fourThree = "4.3.6"
}

extension RabbitMQVersion {
    enum ConsumerTimeout {
        /// The channel is closed with 406, whatever the queue's type.
        case closesChannel
        /// A quorum queue cancels the consumer; a classic queue has no time-out.
        case cancelsQuorumConsumer
    }

    /// Whether a message that comes back by nack or recover counts as one whose delivery failed; one that is rejected,
    /// or left behind by a channel that ends, always does.
    var nackIsFailure: Bool { self != .fourThree }

    /// Whether the delivery limit of a quorum queue is for all that comes back, and not for failed deliveries only.
    var limitCountsEveryReturn: Bool { self != .fourThree }

    /// Whether a dead letter of a quorum queue takes its failed deliveries along, a last rejection among them.
    var quorumLettersKeepFailures: Bool { self != .threeTen }

    /// The delivery limit of a quorum queue that was declared with none.
    var defaultDeliveryLimit: Int64? { self == .threeTen ? nil : 20 }

    /// Whether a quorum queue tells with each redelivery how often the message was handed out (`x-acquired-count`),
    /// beside how often that failed (`x-delivery-count`).
    var tellsAcquiredCount: Bool { self == .fourThree }

    /// How a refusal of basic.get names the type of a quorum queue: as Erlang prints it, in 4.3.
    var nameOfQuorumType: String { self == .fourThree ? "<<\"quorum\">>" : "quorum" }

    /// Whether basic.get on a quorum queue tells of zero failed deliveries too.
    var getTellsZeroFailures: Bool { self == .threeTen }

    /// Whether a dead letter of a classic queue takes its failed deliveries along, and so is called redelivered.
    var classicLettersKeepFailures: Bool { self == .fourThree }

    /// Whether the bytes of a message's properties count against `x-max-length-bytes` of a quorum queue.
    var quorumQueuesCountPropertyBytes: Bool { self == .fourThree }

    /// How the priorities of messages share a quorum queue.
    enum QuorumPriorities {
        /// Not at all: one line for all of them.
        case none
        /// Those above 4 go before the others, but for every third turn.
        case twoToOne
        /// 32 priorities, the highest first; 4 for a message that has none.
        case strict
    }

    var quorumPriorities: QuorumPriorities {
        switch self {
        case .threeTen: .none
        case .four: .twoToOne
        case .fourThree: .strict
        }
    }

    /// Whether a message is routed to a classic queue whose node is down, and then refused; in 3.10 it is not routed.
    var routesToAbsentQueues: Bool { self != .threeTen }

    /// Whether a quorum queue waits for the consumers of a node that is gone before it takes back what they have.
    var waitsForLostConsumers: Bool { self == .fourThree }

    /// Whether consumers of a channel can share a prefetch (`global`); without it each has the prefetch to itself.
    var sharesPrefetch: Bool { self != .fourThree }

    /// Whether it takes a permission, whichever, to ask whether there is a queue or an exchange.
    var passiveDeclarationsNeedAPermission: Bool { self == .fourThree }

    /// Whether an exchange that is not durable is still there after all nodes have stopped.
    var transientExchangesOutliveRestarts: Bool { self == .fourThree }

    /// Whether a client waits for a classic queue whose node is down, for a minute, before it is told so.
    var waitsForAbsentQueues: Bool { self != .threeTen }

    /// Whether a quorum queue knows its consumers by numbers, in the order of their registration, and not by their tags.
    var numbersConsumers: Bool { self != .threeTen }

    /// What `x-max-priority` is raised to.
    var leastMaxPriority: Int64 { self == .threeTen ? 0 : 1 }

    /// Whether a consumer of higher priority takes the place of the active one of a quorum queue.
    var singleActiveConsumersHavePriorities: Bool { self != .threeTen }

    /// Whether purging a quorum queue takes the dead letters too that wait for their confirm.
    var purgeTakesDeadLetters: Bool { self == .fourThree }

    /// Whether a quorum queue drops what is expired at the head of every priority at once, and not at its own head only.
    var expiresInEveryPriority: Bool { self == .fourThree }

    /// Whether a quorum queue and a consumer may say how long a delivery waits for its settlement.
    var queuesHaveConsumerTimeouts: Bool { self == .fourThree }

    /// The largest body, in bytes, where nobody has set another.
    var maximumMessageSize: Int { self == .threeTen ? 134_217_728 : 16_777_216 }

    /// The largest body that can be configured, in bytes.
    static let largestMessageSize = 536_870_912

    /// Whether the broker keeps the deaths of a message itself, and so sets `x-last-death-…`, rather than reading and
    /// rewriting the header `x-death`.
    var keepsDeathsItself: Bool { self != .threeTen }

    /// Whether a refusal for want of a permission says which.
    var namesTheMissingPermission: Bool { self != .threeTen }

    /// Whether a queue declared with no type is stored with `x-queue-type: classic`.
    var storesTheDefaultQueueType: Bool { self != .threeTen }

    var consumerTimeout: ConsumerTimeout { self == .fourThree ? .cancelsQuorumConsumer : .closesChannel }

    /// Whether an exchange of an unknown type ends the whole connection (503), rather than the channel (406).
    var unknownExchangeTypeEndsConnection: Bool { self == .threeTen }

    /// How many channels the broker offers.
    var channelMax: UInt16 { 2047 }
}
