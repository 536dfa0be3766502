package import ActorBus

/// How long what is in hand may take once it is to stop, for all services of a process together: one that is stopped
/// later has what is left.
package final class DrainTime: Sendable {
    package let limit: Duration
    let world: World
    private let end = Lock<Instant?>(nil)

    package init(_ limit: Duration, in world: World = .real) {
        self.limit = limit
        self.world = world
    }

    /// What is left of it; the first to ask begins it.
    package var left: Duration {
        end.withLock { end in
            let now = world.now
            let reached = end ?? now + limit
            end = reached
            return max(.zero, reached - now)
        }
    }

    /// Leaves none, where nothing in hand can be finished any more.
    package func giveUp() {
        let now = world.now
        end.withLock { $0 = now }
    }
}
