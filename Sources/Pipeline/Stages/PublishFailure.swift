package import ActorBus

/// What a failed publish means for the message in hand.
package enum PublishFailure: Sendable, Equatable {
    /// This message can never be sent as it is, its body cannot be read any more, or the broker takes none such.
    case message
    /// The broker refuses messages to where it was to go: a queue is full, or not there.
    case refused
    /// The user may not publish there.
    case right
    /// Nothing is known against the message; the broker cannot be reached, or does not answer.
    case away
    /// The publishing connection is closed for good.
    case over

    package init(_ error: AMQPError) {
        switch error.code {
        case .invalidMessage, .preconditionFailed, .systemResource: self = .message
        case .refused, .returned, .notFound, .resourceLocked: self = .refused
        case .accessRefused: self = .right
        case .connectionClosed: self = .over
        default: self = .away
        }
    }
}
