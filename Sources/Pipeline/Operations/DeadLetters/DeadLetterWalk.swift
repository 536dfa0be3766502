package import ActorBus

/// One walk over the letters of a dead-letter queue: each that stood there at the start is looked at once, and taken
/// out or left.
///
/// What is left is held back until the connection closes, and then stands where it stood, as far as the broker allows:
/// a classic queue puts it back in its place, a quorum queue in front. So no letter is met twice, and what comes in
/// meanwhile, a replayed message that failed again too, is not waited for.
package struct DeadLetterWalk: Sendable {
    package enum Verdict: Sendable {
        case remove, leave
        /// The walk is over; this letter is left.
        case end
    }

    /// Letters that one consumer holds at most; a further one then takes its place, so that no filter is ever stuck
    /// behind letters that it leaves.
    private static let prefetch: UInt16 = 500
    private static let idlePause = Duration.milliseconds(500)

    /// Used for nothing else; to close it puts back what was left.
    let connection: AMQPConnection
    let queue: PipelineQueue

    package init(of queue: PipelineQueue, on connection: AMQPConnection) {
        self.queue = queue
        self.connection = connection
    }

    private struct Progress {
        var seen: UInt32 = 0
        /// Whether a letter is waited for, and not dealt with.
        var isWaiting = false
    }

    /// Walks until every letter was seen, nobody has more, `visit` ends it, or the task is cancelled; what `visit` was
    /// busy with is settled then.
    ///
    /// - Returns: how many letters stood in the queue at the start.
    /// - Throws: what `visit` throws, its letter being left; ``AMQPError`` when the connection was lost, since the
    ///   broker would then hand out again what was left.
    @discardableResult
    package func run(_ visit: @escaping @Sendable (StoredDeadLetter) async throws -> Verdict) async throws -> UInt32 {
        let count = try await connection.inspect(queue: queue.deadLetterQueue).messages
        guard count > 0 else { return 0 }
        let progress = Lock(Progress())
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await read(count, progress, visit) }
            group.addTask { try await watchForLoss() }
            group.addTask { try await watchForNothingMore(progress) }
            defer { group.cancelAll() }
            try await group.next()
            group.cancelAll()
            // A reader that is busy with a letter finishes with it, and what it meets counts.
            try await group.waitForAll()
        }
        return count
    }

    private func read(
        _ count: UInt32, _ progress: Lock<Progress>,
        _ visit: @Sendable (StoredDeadLetter) async throws -> Verdict
    ) async throws {
        var seen: UInt32 = 0
        while seen < count {
            var held: UInt16 = 0
            var deliveries = connection.deliveries(from: queue.deadLetterQueue, prefetch: Self.prefetch)
                .makeAsyncIterator()
            while seen < count, held < Self.prefetch {
                progress.withLock { $0.isWaiting = true }
                guard let delivery = try await deliveries.next(), !Task.isCancelled else { return }
                seen += 1
                progress.withLock { $0 = Progress(seen: seen) }
                switch try await visit(StoredDeadLetter(delivery, of: queue)) {
                case .remove: delivery.acknowledge()
                case .leave: held += 1
                case .end: return
                }
            }
        }
    }

    /// Throws when the connection is no longer the one that the walk began with; returns when the task is cancelled.
    private func watchForLoss() async throws {
        for await status in connection.statusUpdates() where status.state != .open {
            throw AMQPError(
                .connectionLost, "the connection was lost during the walk over '\(queue.deadLetterQueue)'",
                remedy: "every letter that was not finished is still there; run the command again")
        }
    }

    /// Returns when another consumer has the rest: the queue is empty and for a while no letter came.
    private func watchForNothingMore(_ progress: Lock<Progress>) async throws {
        var idle: UInt32?
        while !Task.isCancelled {
            do { try await Task.sleep(for: Self.idlePause) } catch { return }
            let now = progress.withLock { $0 }
            guard now.isWaiting, try await connection.inspect(queue: queue.deadLetterQueue).messages == 0 else {
                idle = nil
                continue
            }
            if idle == now.seen { return }
            idle = now.seen
        }
    }
}
