/// The RabbitMQ that a simulated broker behaves like. Each stands for its series; where the series differ, the
/// difference has a name here, and the model asks for it by that name.
public enum RabbitMQVersion: String, Sendable, Hashable, CaseIterable {
    case threeTen = "3.10.8"
    case four = "4.0.5"
    case fourThree = "4.3.6"
}

extension RabbitMQVersion {
    /// What a quorum queue counts against its delivery limit.
    enum DeliveryLimitCount {
        /// Every return: nack, reject, recover, a cut channel.
        case returns
        /// Failures only: a reject or a cut channel, but no nack.
        case failures
    }

    enum ConsumerTimeout {
        /// The channel is closed with 406, whatever the queue's type.
        case closesChannel
        /// A quorum queue cancels the consumer; a classic queue has no time-out.
        case cancelsQuorumConsumer
    }

    var deliveryLimitCount: DeliveryLimitCount { self == .fourThree ? .failures : .returns }

    /// The delivery limit of a quorum queue that was declared with none.
    var defaultDeliveryLimit: Int64? { self == .threeTen ? nil : 20 }

    /// Whether a quorum queue tells with each redelivery how often the message was handed out (`x-acquired-count`),
    /// beside how often that failed (`x-delivery-count`).
    var tellsAcquiredCount: Bool { self != .threeTen }

    /// The largest body, in bytes.
    var maximumMessageSize: Int { self == .threeTen ? 134_217_728 : 16_777_216 }

    /// Whether the broker keeps the deaths of a message itself, and so sets `x-last-death-…`, rather than reading and
    /// rewriting the header `x-death`.
    var keepsDeathsItself: Bool { self != .threeTen }

    /// Whether a refusal for want of a permission says which.
    var namesTheMissingPermission: Bool { self != .threeTen }

    /// Whether a queue declared with no type is stored with `x-queue-type: classic`.
    var storesTheDefaultQueueType: Bool { self != .threeTen }

    var consumerTimeout: ConsumerTimeout { self == .fourThree ? .cancelsQuorumConsumer : .closesChannel }

    /// How many channels the broker offers.
    var channelMax: UInt16 { 2047 }
}
