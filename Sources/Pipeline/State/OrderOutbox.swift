package import ActorBus

/// The generator's outbox, for tasks: every call waits for the disk on the executor given, never on Swift's own
/// threads.
///
/// The executor runs one thing at a time and may block. The folder is this process's alone from `open` to `close`, or
/// to the end of the last reference.
package actor OrderOutbox {
    private nonisolated let executor: any SerialExecutor
    private var database: OrderOutboxDatabase?

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe executor.asUnownedSerialExecutor()
    }

    private init(executor: any SerialExecutor) {
        self.executor = executor
    }

    /// Opens the outbox in a folder, which is made where there is none.
    ///
    /// Throws `StateError` where the folder cannot be used, another process has it, or the file is damaged or from a
    /// newer version.
    package static func open(
        in directory: StateDirectory, keptConfirmed: Int64 = 10_000, executor: any SerialExecutor,
        in world: World = .real
    ) async throws -> OrderOutbox {
        let outbox = OrderOutbox(executor: executor)
        try await outbox.open(directory, keptConfirmed, world)
        return outbox
    }

    private func open(_ directory: StateDirectory, _ keptConfirmed: Int64, _ world: World) throws(StateError) {
        database = try OrderOutboxDatabase(in: directory, keptConfirmed: keptConfirmed, in: world)
    }

    /// Lets go of the file and the folder; every later call throws `closed`.
    package func close() {
        database = nil
    }

    /// Writes new orders down, numbered on from the last one ever written; on the disk when this returns.
    ///
    /// All of them or, where it throws, none. A call under way is not interrupted by cancellation.
    package func writeDown(
        count: Int, order: @Sendable (_ orderID: Int64) -> Order
    ) throws(StateError) -> [RecordedOrder] {
        try opened().writeDown(count: count, order: order)
    }

    /// Marks orders as confirmed, in any order; best many at once.
    package func markConfirmed(_ orderIDs: [Int64]) throws(StateError) {
        try opened().markConfirmed(orderIDs)
    }

    /// The orders not marked as confirmed, oldest first, from `after`, at most `limit`: to be published again at the
    /// start.
    package func unconfirmed(after: Int64 = .min, limit: Int = .max) throws(StateError) -> [RecordedOrder] {
        try opened().unconfirmed(after: after, limit: limit)
    }

    private func opened() throws(StateError) -> OrderOutboxDatabase {
        guard let database else {
            throw StateError(.closed, "the order outbox is closed", remedy: "open it before it is used")
        }
        return database
    }
}
