import ActorBus

/// How long what is in hand may take once it is to stop, for all services of a process together: one that is stopped
/// later has what is left.
package final class DrainTime: Sendable {
    package let limit: Duration
    private let end = Lock<ContinuousClock.Instant?>(nil)

    package init(_ limit: Duration) {
        self.limit = limit
    }

    /// What is left of it; the first to ask begins it.
    package var left: Duration {
        end.withLock { end in
            let now = ContinuousClock.now
            let reached = end ?? now + limit
            end = reached
            return max(.zero, now.duration(to: reached))
        }
    }

    /// Leaves none, where nothing in hand can be finished any more.
    package func giveUp() {
        end.withLock { $0 = .now }
    }
}
