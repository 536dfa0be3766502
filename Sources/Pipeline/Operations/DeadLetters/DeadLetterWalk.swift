package import ActorBus

/// One round through a dead-letter queue: each letter that stood there at the start is visited once, and taken out or
/// left.
///
/// A letter is never returned to its queue. A quorum queue counts each return, and destroys the letter at its delivery
/// limit (20 by default from RabbitMQ 4.0 on; a policy may set any, which a client cannot see). Instead a letter that
/// is left is published again to the end of its queue, and the one in hand is acknowledged when the broker has
/// confirmed the copy. A crash in between leaves both, so a letter may double and is never lost. After a whole round
/// the letters stand in the order they had.
///
/// The exception is a letter that cannot be published again: larger than the broker's limit by now, or with headers that
/// cannot be read. Nothing but its return is left, once a walk; ``Tally/returned`` tells of it.
///
/// Few letters are held at a time, so a walk may take longer than the broker's `consumer_timeout`.
package struct DeadLetterWalk: Sendable {
    package enum Verdict: Sendable {
        case remove, leave
        /// No more letters are visited; this one is left.
        case end
    }

    /// What a walk did, true at every moment and after an error.
    package struct Tally: Sendable, Equatable {
        /// Letters in the queue at the start.
        package var total: UInt32 = 0
        package var visited: UInt32 = 0
        /// Letters that are out of the queue for good.
        package var removed: UInt32 = 0
        /// Letters that were removed and may be in the queue again, since the channel was lost.
        package var doubtful: UInt32 = 0
        /// Letters in the queue at the end; nil when that is not known.
        package var left: UInt32?
        /// Whether the round was broken off, so that letters that were visited stand behind those that were not.
        package var isReordered = false
        /// Letters that could not be written back, and were returned to the queue.
        package var returned: [ReturnedLetter] = []

        package init() {}
    }

    package struct ReturnedLetter: Sendable, Equatable {
        /// Why it cannot be written back.
        package let fault: String
        /// How often it went back before, as a quorum queue counts; nil where nothing says so.
        package let returnsBefore: Int64?

        package init(fault: String, returnsBefore: Int64?) {
            self.fault = fault
            self.returnsBefore = returnsBefore
        }
    }

    /// Letters held at once at most: few enough that RabbitMQ has passed on every acknowledgment when the channel of a
    /// batch is closed, which takes 32 commands at a time to a quorum queue.
    private static let largestBatch: UInt32 = 16
    /// Bodies held at once, in bytes, as far as the size of the letters before tells.
    private static let largestBytes = 4 << 20
    /// How many letters are moved past to restore the order once no more are visited.
    private static let longestReturn: UInt32 = 20_000
    /// Letters that may be held back because the broker does not take their copy.
    private static let mostReturned = 20

    private let connection: AMQPConnection
    private let queue: PipelineQueue
    private let copying: AMQPConnection?
    private let concurrency: Int
    private let batch: UInt32

    /// - Parameters:
    ///   - connection: for consuming.
    ///   - copying: for writing letters back. One of its own, since a broker short of memory stops reading a publisher's
    ///     socket. Nil for a walk that leaves no letter.
    ///   - concurrency: how many letters may be visited at once; they are begun in their order.
    ///   - batch: how many letters are held at once at most; nil, or more, for as many as a walk holds.
    package init(
        of queue: PipelineQueue, on connection: AMQPConnection, copying: AMQPConnection?, concurrency: Int = 1,
        batch: UInt32? = nil
    ) {
        self.queue = queue
        self.connection = connection
        self.copying = copying
        self.concurrency = max(concurrency, 1)
        self.batch = min(max(batch ?? Self.largestBatch, 1), Self.largestBatch)
    }

    /// Walks until every letter was visited, `visit` ends it, or the task is cancelled; letters in hand are dealt with
    /// to the end then.
    ///
    /// - Parameters:
    ///   - tally: what was done so far; right also after an error.
    ///   - most: how many letters are visited at most.
    ///   - pause: waited for before letters are taken, at most one batch at a time.
    /// - Throws: what `visit` throws, its letter being left; ``AMQPError`` when the broker cannot be asked, when it takes
    ///   no copies (then nothing was taken), or when the letters in hand were lost to another channel.
    package func run(
        _ tally: Lock<Tally>, most: UInt32? = nil, pause: @Sendable () async throws -> Void = {},
        _ visit: @escaping @Sendable (StoredDeadLetter) async throws -> Verdict
    ) async throws {
        let total = try await depth()
        tally.withLock { tally in
            tally.total = total
            tally.left = total
        }
        guard total > 0 else { return }
        var publisher: Publisher?
        if let copying { publisher = try await probedPublisher(over: copying) }
        var held: [HeldDeliveries] = []
        do {
            try await walk(total, tally, most, pause, LetterCopies(of: queue, with: publisher), &held, visit)
        } catch {
            await end(tally, held)
            throw error
        }
        await end(tally, held)
    }

    private func walk(
        _ total: UInt32, _ tally: Lock<Tally>, _ most: UInt32?, _ pause: @Sendable () async throws -> Void,
        _ copies: LetterCopies, _ held: inout [HeldDeliveries],
        _ visit: @escaping @Sendable (StoredDeadLetter) async throws -> Verdict
    ) async throws {
        var round = Round(total: total)
        // The first says how large letters are, and whether they can be written back.
        var size: UInt32 = 1
        var isEnded = false
        while case let remaining = round.remaining(ready: try await depth()), remaining > 0 {
            let visited = tally.withLock { $0.visited }
            let visits = !isEnded && most.map { visited < $0 } ?? true
            if !visits {
                if round.copied == 0 { return }
                guard remaining <= Self.longestReturn else { return tally.withLock { $0.isReordered = true } }
            }
            do {
                try Task.checkCancellation()
                if visits { try await pause() }
            } catch is CancellationError {
                return tally.withLock { $0.isReordered = round.copied > 0 }
            }
            if let copying { try checkAlarm(copying) }
            var count = min(remaining, size)
            if visits, let most { count = min(count, most - visited) }

            let handful = Lock(Handful())
            tally.withLock { $0.left = nil }
            do {
                let kept = try await connection.withBatch(of: UInt16(count), from: queue.deadLetterQueue) {
                    deliveries in
                    await dealWith(deliveries, handful, copies, visits ? visit : nil, tally)
                }
                if let kept { held.append(kept) }
            } catch {
                tally.withLock { $0.doubtful += handful.withLock { $0.removed } }
                throw error
            }
            let done = handful.withLock { $0 }
            let returned = tally.withLock { tally in
                tally.removed += done.removed
                tally.returned += done.returned
                return tally.returned
            }
            if let failure = done.failure { throw failure }
            guard returned.count <= Self.mostReturned else {
                throw AMQPError(
                    .invalidMessage, "\(returned.count) letters in \(queue.deadLetterQueue) cannot be written back",
                    remedy: "they were returned; see the lines above for why")
            }
            round.met += done.met
            round.copied += done.copied
            isEnded = isEnded || done.isEnded
            // Others have taken what was there.
            if done.met == 0 { return }
            size = min(batch, UInt32(clamping: max(1, Self.largestBytes / max(done.largest, 1))))
        }
    }

    /// What became of the letters of one batch.
    private struct Handful: Sendable {
        var met: UInt32 = 0
        var removed: UInt32 = 0
        var copied: UInt32 = 0
        var isEnded = false
        /// The size of the largest body.
        var largest = 0
        var returned: [ReturnedLetter] = []
        var failure: (any Error)?
    }

    /// Visits letters and settles them: removed, or written back.
    private func dealWith(
        _ deliveries: [Delivery], _ handful: Lock<Handful>, _ copies: LetterCopies,
        _ visit: (@Sendable (StoredDeadLetter) async throws -> Verdict)?, _ tally: Lock<Tally>
    ) async {
        var outcome = Handful()
        outcome.met = UInt32(clamping: deliveries.count)
        outcome.largest = deliveries.map { Int(clamping: $0.message.bodySize) }.max() ?? 0
        var removed: Set<Int> = []
        if let visit {
            for (place, result) in await verdicts(deliveries, visit) {
                switch result {
                case .success(.remove):
                    removed.insert(place)
                    tally.withLock { $0.visited += 1 }
                case .success(.leave): tally.withLock { $0.visited += 1 }
                case .success(.end): outcome.isEnded = true
                case .failure(let error): outcome.failure = outcome.failure ?? error
                }
            }
        }
        let left = deliveries.indices.filter { !removed.contains($0) }.map { deliveries[$0] }
        let written = await copies.write(left)
        for delivery in written.copied { delivery.acknowledge() }
        outcome.removed = UInt32(clamping: removed.count)
        outcome.copied = UInt32(clamping: written.copied.count)
        outcome.returned = written.returned
        outcome.failure = outcome.failure ?? written.failure
        handful.withLock { $0 = outcome }
    }

    /// What `visit` says of each letter, begun in their order, until one fails or ends the walk.
    private func verdicts(
        _ deliveries: [Delivery], _ visit: @escaping @Sendable (StoredDeadLetter) async throws -> Verdict
    ) async -> [(Int, Result<Verdict, any Error>)] {
        await withTaskGroup(of: (Int, Result<Verdict, any Error>).self) { group in
            var verdicts: [(Int, Result<Verdict, any Error>)] = []
            var (running, isOver) = (0, false)
            func note(_ verdict: (Int, Result<Verdict, any Error>)?) {
                guard let verdict else { return }
                running -= 1
                verdicts.append(verdict)
                switch verdict.1 {
                case .success(.end), .failure: isOver = true
                case .success: break
                }
            }
            for (place, delivery) in deliveries.enumerated() {
                if running == concurrency { note(await group.next()) }
                if isOver { break }
                running += 1
                let letter = StoredDeadLetter(delivery, of: queue)
                // Immediately, so that what `visit` does first happens in the order of the letters.
                group.addImmediateTask {
                    do {
                        let verdict = try await visit(letter)
                        // At once, so that a crash leaves as few letters as can be beside their replayed message.
                        if case .remove = verdict { delivery.acknowledge() }
                        return (place, .success(verdict))
                    } catch {
                        return (place, .failure(error))
                    }
                }
            }
            while running > 0 { note(await group.next()) }
            return verdicts
        }
    }

    /// Returns what is held, and counts what stands in the queue.
    private func end(_ tally: Lock<Tally>, _ held: [HeldDeliveries]) async {
        // In a task of its own, since this one may be cancelled.
        let left = await Task {
            let before = held.isEmpty ? nil : try? await depth()
            for held in held { await connection.putBack(held) }
            let returned = UInt32(clamping: tally.withLock { $0.returned.count })
            return try? await depth(atLeast: before.map { $0 + returned } ?? 0)
        }.value
        tally.withLock { $0.left = left }
    }

    /// A quorum queue has what was returned to it ready a moment later, and somebody else may have taken it by then.
    private func depth(atLeast expected: UInt32) async throws -> UInt32 {
        for _ in 0..<20 {
            let depth = try await depth()
            if depth >= expected { return depth }
            try await Task.sleep(for: .milliseconds(100))
        }
        return try await depth()
    }

    private func depth() async throws -> UInt32 { try await connection.inspect(queue: queue.deadLetterQueue).messages }

    /// A publisher that the broker takes a message from now. Asked before any letter is taken, with a message that no
    /// queue gets, since a letter that is taken and cannot be written back has to be returned.
    private func probedPublisher(over connection: AMQPConnection) async throws -> Publisher {
        let probe = try await connection.publisher(window: 1, timeout: .seconds(5))
        let nowhere = "\(queue.deadLetterQueue).\(UInt64.random(in: .min ... .max))"
        do {
            // A broker in an alarm takes the first message of a connection, and says only then that it takes no more.
            for _ in 1...2 {
                try await probe.publish(Message(body: []), to: "", routingKey: nowhere, mandatory: false)
            }
        } catch let error as AMQPError {
            throw leftAlone(connection, error.message, remedy: error.remedy)
        }
        try checkAlarm(connection)
        return try await connection.publisher(window: Int(Self.largestBatch))
    }
}

extension DeadLetterWalk {
    /// Throws when the broker has said that it takes no messages for now.
    private func checkAlarm(_ connection: AMQPConnection) throws {
        if connection.status.blocked != nil { throw leftAlone(connection, "it has blocked publishing", remedy: nil) }
    }

    private func leftAlone(_ connection: AMQPConnection, _ words: String, remedy: String?) -> AMQPError {
        let alarm = connection.status.blocked
        return AMQPError(
            .timedOut,
            "the letters in \(queue.deadLetterQueue) were left alone: to look at one writes it back to the end of its queue, "
                + "and the broker takes no messages" + (alarm.map { " for now (\($0))" } ?? "") + ": \(words)",
            remedy: alarm == nil ? remedy : "see the broker's alarms (rabbitmq-diagnostics alarms), and try again")
    }
}

/// How far a round through a queue has come: pure.
struct Round: Sendable {
    /// Letters at the start.
    let total: UInt32
    /// Letters taken in hand.
    var met: UInt32 = 0
    /// Letters of these that were written back to the end of the queue.
    var copied: UInt32 = 0

    init(total: UInt32) { self.total = total }

    /// How many letters of the round stand in front of our own copies, while so many are ready in the queue.
    ///
    /// What others take meanwhile is in front too, so the rest is smaller by that; what comes in meanwhile stands behind
    /// and is not waited for.
    func remaining(ready: UInt32) -> UInt32 {
        min(total - min(met, total), ready - min(copied, ready))
    }
}
