package import ActorBus

/// One walk over the letters of a dead-letter queue: each that stood there at the start is looked at once, and taken
/// out or left.
///
/// What is left is held back until the walk is over, and then goes back to where it stood, as far as the broker allows:
/// in a classic queue to its place, in a quorum queue to the front. So no letter is met twice, and what comes in
/// meanwhile, a replayed message that failed again too, is not waited for.
package struct DeadLetterWalk: Sendable {
    package enum Verdict: Sendable {
        case remove, leave
        /// The walk is over; this letter is left.
        case end
    }

    /// Letters that one consumer holds at most; a further one then takes its place, so that no filter is ever stuck
    /// behind letters that it leaves.
    private static let prefetch = 500
    private static let idlePause = Duration.milliseconds(500)

    private let connection: AMQPConnection
    private let queue: PipelineQueue
    private let concurrency: Int

    /// - Parameters:
    ///   - connection: used for nothing else, and closed when the walk is over, so that all of it is settled.
    ///   - concurrency: how many letters may be visited at once, at most 100; they are begun in their order.
    package init(of queue: PipelineQueue, on connection: AMQPConnection, concurrency: Int = 1) {
        self.queue = queue
        self.connection = connection
        self.concurrency = min(max(concurrency, 1), 100)
    }

    private struct Progress {
        var seen: UInt32 = 0
        var visits = 0
        /// Whether a letter is waited for.
        var isWaiting = false
        /// What puts back the letters met, in their order; nil for one that was removed.
        var left: [(@Sendable (Settlement) -> Void)?] = []
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
        do {
            try await walk(count, progress, visit)
        } catch {
            putBack(progress)
            throw error
        }
        await stand(putBack(progress))
        return count
    }

    private func walk(
        _ count: UInt32, _ progress: Lock<Progress>,
        _ visit: @escaping @Sendable (StoredDeadLetter) async throws -> Verdict
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await read(count, progress, visit) }
            group.addTask { try await watchForLoss() }
            group.addTask { try await watchForNothingMore(progress) }
            defer { group.cancelAll() }
            try await group.next()
            group.cancelAll()
            // A reader that is busy with letters finishes with them, and what it meets counts.
            try await group.waitForAll()
        }
    }

    /// Gives back what is left, in its order, and says how much that is. The consumers are gone by now, or they would
    /// be handed the same letters again.
    @discardableResult
    private func putBack(_ progress: Lock<Progress>) -> Int {
        let left = progress.withLock { $0.left }.compactMap { $0 }
        for putBack in left { putBack(.requeue) }
        return left.count
    }

    /// Waits until so many letters stand in the queue again, so that whoever looks next finds them. A queue answers such
    /// a look before it deals with what came earlier, so the end of the connection does not tell.
    private func stand(_ count: Int) async {
        var (before, unchanged) = (UInt32(0), 0)
        // Others may take letters meanwhile; then the number no longer grows.
        while unchanged < 20, let now = try? await connection.inspect(queue: queue.deadLetterQueue).messages,
            now < count
        {
            unchanged = now == before ? unchanged + 1 : 0
            before = now
            do { try await Task.sleep(for: .milliseconds(50)) } catch { return }
        }
    }

    private func read(
        _ count: UInt32, _ progress: Lock<Progress>,
        _ visit: @escaping @Sendable (StoredDeadLetter) async throws -> Verdict
    ) async throws {
        try await withThrowingTaskGroup(of: Verdict.self) { visits in
            var (seen, running, isOver) = (UInt32(0), 0, false)
            while seen < count, !isOver {
                var held = 0
                var deliveries = connection.deliveries(from: queue.deadLetterQueue, prefetch: UInt16(Self.prefetch))
                    .makeAsyncIterator()
                while seen < count, !isOver, held < Self.prefetch {
                    // A letter of which it is not yet known whether it is left may be the last that the broker hands out.
                    if running == concurrency || (running > 0 && held + running == Self.prefetch) {
                        note(try await visits.next(), &running, &held, &isOver)
                        continue
                    }
                    progress.withLock { $0.isWaiting = true }
                    guard let delivery = try await deliveries.next(), !Task.isCancelled else {
                        isOver = true
                        break
                    }
                    seen += 1
                    progress.withLock { progress in
                        progress.isWaiting = false
                        progress.seen += 1
                        progress.visits += 1
                    }
                    running += 1
                    // Immediately, so that what `visit` does first happens in the order of the letters.
                    visits.addImmediateTask { try await dealWith(delivery, progress, visit) }
                }
                while running > 0 { note(try await visits.next(), &running, &held, &isOver) }
            }
        }
    }

    private func note(_ verdict: Verdict?, _ running: inout Int, _ held: inout Int, _ isOver: inout Bool) {
        running -= 1
        switch verdict {
        case .remove: break
        case .leave, nil: held += 1
        case .end: isOver = true
        }
    }

    private func dealWith(
        _ delivery: Delivery, _ progress: Lock<Progress>,
        _ visit: @Sendable (StoredDeadLetter) async throws -> Verdict
    ) async throws -> Verdict {
        let putBack = delivery.settler
        // Ahead of the visit, since visits may end in another order.
        let place = progress.withLock { progress in
            progress.left.append(putBack)
            return progress.left.count - 1
        }
        defer { progress.withLock { $0.visits -= 1 } }
        do {
            let verdict = try await visit(StoredDeadLetter(delivery, of: queue))
            if case .remove = verdict {
                delivery.acknowledge()
                progress.withLock { $0.left[place] = nil }
            }
            return verdict
        } catch is CancellationError {
            return .leave
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

    /// Returns when another consumer has the rest: the queue is empty, nothing is busy, and for a while no letter came.
    private func watchForNothingMore(_ progress: Lock<Progress>) async throws {
        var idle: UInt32?
        while !Task.isCancelled {
            do { try await Task.sleep(for: Self.idlePause) } catch { return }
            let (seen, isIdle) = progress.withLock { ($0.seen, $0.isWaiting && $0.visits == 0) }
            guard isIdle, try await connection.inspect(queue: queue.deadLetterQueue).messages == 0 else {
                idle = nil
                continue
            }
            if idle == seen { return }
            idle = seen
        }
    }
}
