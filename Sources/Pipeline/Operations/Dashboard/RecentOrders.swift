import ActorBus

/// The board of a run, for all its tasks: services write, the dashboard reads.
package final class RecentOrders: Sendable {
    private let board = Lock(OrderBoard())

    package init() {}

    /// Takes in what happened; never waits.
    package func note(_ event: OrderEvent) {
        let now = Timestamp.now()
        board.withLock { $0.note(event, at: now) }
    }

    /// The board of this moment.
    package var now: OrderBoard { board.withLock { $0 } }
}
