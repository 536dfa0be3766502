import ActorBus
import Pipeline

/// The orders of a run as the generator's state folder tells of them.
final class OrderBook: @unchecked Sendable {
    // Unchecked: a simulation has one thread.
    private(set) var folder: StateFolder
    /// Whether the process that had the folder was killed.
    var wasKilled = false
    /// How many orders are still to be made.
    private(set) var left: Int64
    private let world: World

    init(orders: Int64, in world: World) throws {
        left = orders
        self.world = world
        folder = try StateFolder()
    }

    /// What happens in the services' processes. Nothing is checked by it.
    func note(_ event: OrderEvent) {
        if case .placing = event { left = max(0, left - 1) }
    }

    /// What the outbox says.
    struct Contents {
        /// How many orders were ever written down; they are numbered from one.
        var written: Int64
        /// Those not marked as confirmed.
        var unconfirmed: Set<Int64>

        var confirmed: [Int64] { written > 0 ? (1...written).filter { !unconfirmed.contains($0) } : [] }
    }

    /// Looks into a copy, and so changes nothing.
    func contents() throws -> Contents {
        let copy = try folder.copy()
        let database = try OrderOutboxDatabase(in: copy.directory, in: world)
        let unconfirmed = Set(try database.unconfirmed().map(\.orderID))
        // What it would write down next tells how many there are.
        let next = try database.writeDown(count: 1) { number in
            Order(
                orderID: number, customerEmail: "", items: [], totalAmount: .zero, currency: "EUR",
                timestamp: world.timestamp)
        }
        return Contents(written: (next.first?.orderID ?? 1) - 1, unconfirmed: unconfirmed)
    }

    /// Makes ready for the next process, which finds what the last one has left.
    func recover(_ run: Run) throws {
        guard wasKilled else { return }
        wasKilled = false
        folder = try folder.copy()
        try run.sabotage?(run, .generatorWasKilled)
        try run.checkConfirmedOrders()
    }
}
