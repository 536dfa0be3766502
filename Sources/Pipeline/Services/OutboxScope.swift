package import ActorBus

/// Opens the order outbox in a folder, with a thread of its own to wait for the disk, for as long as `body` runs.
///
/// Throws `StateError` where the folder cannot be used or another process has it; else what `body` throws.
package func withOutbox<Value>(
    in directory: StateDirectory, of world: World = .real, _ body: (OrderOutbox) async throws -> Value
) async throws -> Value {
    let thread = try world.surroundings.makeThread(name: "outbox")
    // The outbox's jobs run for as long as the thread is held.
    defer { withExtendedLifetime(thread) {} }
    let outbox = try await OrderOutbox.open(in: directory, executor: thread.serialExecutor, in: world)
    do {
        let value = try await body(outbox)
        await outbox.close()
        return value
    } catch {
        await outbox.close()
        throw error
    }
}
