/// What happens to a connection, as ``AMQPConnection/events`` tell it. The set may grow, so a `switch` needs a `default`.
public enum ConnectionEvent: Sendable, Equatable {
    /// What cannot be declared at the moment.
    public struct Skipped: Sendable, Equatable {
        public var resource: TopologyDifference.Resource
        /// With the broker's code and words: 403, 404, 405, 406 and whatever else it says; or `timedOut`.
        public var reason: AMQPError
    }

    /// Logged in at a broker that says this of itself (`RabbitMQ 4.0.5`), with all of the topology declared, or in a recovery as
    /// much as can be. The first event for whoever begins to read while the connection is open.
    case connected(to: ConnectionConfiguration.Endpoint, server: String)
    /// The connection broke. It comes back by itself; consumers and publishers come back with it.
    case lost(AMQPError)
    /// Every host is asked once more behind this pause; attempts are counted from 1 after each loss.
    case attempt(UInt64, after: Duration)
    case attemptFailed(UInt64, AMQPError)
    /// The connection is back, without what was skipped, which is asked for again.
    case recovered(attempts: UInt64, skipped: [Skipped])
    /// The broker does not take an exchange or a queue of the topology any more. It is asked for again, and the rest goes on.
    case skipped(Skipped)
    /// What was skipped is declared again.
    case restored(TopologyDifference.Resource)
    /// The broker has ended a consumer, or refuses it. It is asked for again.
    case consumerLost(queue: String, AMQPError)
    case consumerBack(queue: String)
    /// A consumer was refused for too long, or refused at its beginning. Its reader is told the same.
    case consumerEnded(queue: String, AMQPError)
    /// The broker takes no messages (memory or disk alarm), for this reason. Behind a loss this has to be told again.
    case blocked(String)
    case unblocked
    /// Closed for good: nil when its owner has closed it. The last event.
    case closed(AMQPError?)
}

/// The events and those who read them.
final class EventBoard: Sendable {
    private let feed = Feed<ConnectionEvent>(bound: 256)

    /// To be called on one thread.
    func tell(_ event: ConnectionEvent) {
        feed.send { opening in
            switch event {
            case .connected, .lost, .closed: opening = [event]
            case .blocked: opening.append(event)
            case .unblocked: opening.removeAll { if case .blocked = $0 { true } else { false } }
            default: break
            }
            return event
        }
        if case .closed = event { feed.finish() }
    }

    func events() -> AsyncStream<ConnectionEvent> { feed.stream() }
}
