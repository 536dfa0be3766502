package import ActorBus

/// What a service has to say about a connection as its status changes. Losses and recoveries are told by the connection
/// itself.
package struct ConnectionStory: Sendable {
    package enum Line: Sendable, Equatable {
        /// The consumer is registered with the broker: after the start, and again after each recovery.
        case waiting
        case blocked(reason: String)
        case unblocked
    }

    private let consumes: Bool
    private var isWaiting = false
    private var blocked: String?
    private var recoveries: UInt64 = 0

    /// - Parameter consumes: whether there is to be a consumer on it.
    package init(consumes: Bool) {
        self.consumes = consumes
    }

    /// The lines for a status, given all that came before. Statuses in between may have been skipped.
    package mutating func lines(for status: ConnectionStatus) -> [Line] {
        note(
            isReady: status.isReady && status.registeredConsumers > 0, recoveries: status.recoveries,
            blocked: status.blocked)
    }

    /// - Parameter isReady: whether everything is open and a consumer is registered.
    package mutating func note(isReady: Bool, recoveries: UInt64, blocked: String?) -> [Line] {
        var lines: [Line] = []
        if blocked != self.blocked {
            self.blocked = blocked
            lines.append(blocked.map { .blocked(reason: $0) } ?? .unblocked)
        }
        // A recovery that was quicker than whoever watches is still one.
        if recoveries != self.recoveries {
            self.recoveries = recoveries
            isWaiting = false
        }
        let canWait = consumes && isReady
        if canWait, !isWaiting { lines.append(.waiting) }
        isWaiting = canWait
        return lines
    }
}
