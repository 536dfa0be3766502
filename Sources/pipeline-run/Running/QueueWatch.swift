import ActorBus
import Logging
import Pipeline

extension AMQPError {
    fileprivate var isMissingQueue: Bool { code == .notFound && replyText?.contains("no queue '") == true }
}

/// Looks at the main queues and their retry queues, to tell orders that wait from orders that are lost.
struct QueueWatch: Sendable {
    /// What stands in all of them together. Nobody consumes the retry queues.
    struct Depth: Sendable, Equatable {
        /// Messages that are ready to be delivered.
        var messages: Int64 = 0
        var consumers: Int64 = 0
        /// In the dead-letter queues.
        var letters: Int64 = 0
    }

    let connection: AMQPConnection
    let logger: Logger

    /// Nil for a queue that somebody deleted: it holds nothing. One whose node is away is not found either, and throws.
    private func depth(of queue: String) async throws -> QueueDepth? {
        do {
            return try await connection.inspect(queue: queue)
        } catch let error as AMQPError where error.isMissingQueue {
            return nil
        }
    }

    /// The depth now; nil while the broker cannot be asked.
    func depth() async -> Depth? {
        guard connection.status.state == .open else { return nil }
        var sum = Depth()
        do {
            for queue in PipelineQueue.allCases {
                let main = try await depth(of: queue.rawValue)
                sum.messages += Int64(main?.messages ?? 0)
                sum.consumers += Int64(main?.consumers ?? 0)
                sum.letters += Int64(try await depth(of: queue.deadLetterQueue)?.messages ?? 0)
                for delay in [RetryDelay].standard {
                    sum.messages += Int64(try await depth(of: queue.retryQueue(after: delay))?.messages ?? 0)
                }
            }
        } catch {
            logger.debug("The queues could not be looked at: \(error)")
            return nil
        }
        return sum
    }

    /// As `depth`, at the end of a run: a broker that does not answer within five seconds loses the connection.
    private func lastDepth() async -> Depth? {
        let patience = Task {
            do { try await Task.sleep(for: .seconds(5)) } catch { return }
            await connection.close()
        }
        defer { patience.cancel() }
        return await depth()
    }

    /// Returns when nothing has moved for a while though orders are open: all queues are empty, no message is in work,
    /// and no event comes. Or when the task is cancelled.
    func waitUntilNothingMoves(_ book: RunBook, _ workInHand: WorkInHand) async {
        var events = book.events
        var quietSeconds = 0
        while quietSeconds < 5 {
            do { try await Task.sleep(for: .seconds(1)) } catch { return }
            let now = book.events
            if now == events, workInHand.count == 0, await depth()?.messages == 0 {
                quietSeconds += 1
            } else {
                quietSeconds = 0
            }
            events = now
        }
    }

    /// What has become of the orders of a run that were confirmed and not settled.
    struct Remainder: Sendable, Equatable {
        /// In no queue, and nobody else can have them.
        var lost: Int64 = 0
        /// Waiting in a queue, or in others' hands.
        var queued: Int64 = 0
        /// Given up in the course of the run: others took them.
        var notFollowed: Int64 = 0
    }

    /// How many of the open orders are in no queue.
    static func lost(open: Int64, _ depth: Depth, letters: Int64?) -> Int64 {
        let movedByBroker = letters.map { max(0, depth.letters - $0) } ?? 0
        return max(0, open - depth.messages - movedByBroker)
    }

    /// Tells lost orders from those that others have. To be asked when our own consumers are gone.
    ///
    /// Each open order stands in one queue at least, one that was given up in none. Where consumers of others are at
    /// work, and where the broker cannot be asked, no order counts as lost.
    ///
    /// Messages that the broker dead-lettered itself, at a queue's delivery limit, are told by how much more there is in the
    /// dead-letter queues than the services put there.
    ///
    /// - Parameters:
    ///   - open: orders that are followed.
    ///   - givenUp: orders that were given up.
    ///   - letters: how many messages there should be in the dead-letter queues; nil where that is not known.
    func remainder(open: Int64, givenUp: Int64, letters: Int64?) async -> Remainder {
        guard open > 0 || givenUp > 0 else { return Remainder() }
        let others = Remainder(queued: open, notFollowed: givenUp)
        var lost: Int64 = 0
        let end = ContinuousClock.now + .seconds(15)
        // The broker puts back what a closed channel held only after the channel is closed.
        for _ in 0..<20 where ContinuousClock.now < end {
            guard let depth = await lastDepth() else {
                logger.warning(
                    "The broker cannot be asked for its queues; \(open + givenUp) orders are taken to be still queued")
                return others
            }
            if depth.consumers > 0 {
                logger.warning("Others consume from these queues too; \(open + givenUp) orders are taken to be theirs")
                return others
            }
            lost = Self.lost(open: open, depth, letters: letters)
            if lost == 0 { break }
            do { try await Task.sleep(for: .milliseconds(100)) } catch { break }
        }
        return Remainder(lost: lost + givenUp, queued: open - lost)
    }
}
