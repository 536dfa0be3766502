import ActorBus
import Logging
import Pipeline

/// Looks at the main queues and their retry queues, to tell orders that wait from orders that are lost.
struct QueueWatch: Sendable {
    /// What stands in all of them together. Nobody consumes the retry queues.
    struct Depth: Sendable, Equatable {
        /// Messages that are ready to be delivered.
        var messages: Int64 = 0
        var consumers: Int64 = 0
    }

    let connection: AMQPConnection
    let logger: Logger

    /// The depth now; nil while the broker cannot be asked.
    func depth() async -> Depth? {
        guard connection.status.state == .open else { return nil }
        var sum = Depth()
        do {
            for queue in PipelineQueue.allCases {
                let depth = try await connection.inspect(queue: queue.rawValue)
                sum.messages += Int64(depth.messages)
                sum.consumers += Int64(depth.consumers)
                for delay in [RetryDelay].standard {
                    sum.messages += Int64(try await connection.inspect(queue: queue.retryQueue(after: delay)).messages)
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

    /// Tells lost orders from those that others have. To be asked when our own consumers are gone.
    ///
    /// Each open order stands in one queue at least, one that was given up in none. Where consumers of others are at
    /// work, and where the broker cannot be asked, no order counts as lost.
    ///
    /// - Parameters:
    ///   - open: orders that are followed.
    ///   - givenUp: orders that were given up.
    func remainder(open: Int64, givenUp: Int64) async -> Remainder {
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
            lost = max(0, open - depth.messages)
            if lost == 0 { break }
            do { try await Task.sleep(for: .milliseconds(100)) } catch { break }
        }
        return Remainder(lost: lost + givenUp, queued: open - lost)
    }
}
