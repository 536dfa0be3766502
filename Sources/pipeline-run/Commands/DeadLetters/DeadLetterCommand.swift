import ActorBus
import ArgumentParser
import Pipeline

/// `dlq`: what nothing could be done with, and what to do with it now.
struct DeadLetterCommand: CommandGroup {
    static let configuration = CommandConfiguration(
        commandName: "dlq", abstract: "Lists, shows, replays or deletes dead letters.",
        discussion: """
            Every dead letter says in its headers why it is one. To look at letters takes them from their queue and puts \
            them back; they then count as redelivered. Commands look at as many as stand in a queue when they begin.
            """,
        subcommands: [ListLetters.self, PeekLetters.self, ReplayLetters.self, PurgeLetters.self])
}

/// The walk that all commands on dead letters share.
struct DeadLetterRound: Sendable {
    /// What became of one queue's letters.
    struct Count: Sendable {
        let queue: PipelineQueue
        /// Letters that the filter meant.
        var matched: UInt32 = 0
        /// Those that were dealt with: replayed or deleted.
        var done: UInt32 = 0
        /// What was looked at.
        var seen: UInt32 = 0
        /// What stood there at the start.
        var total: UInt32 = 0
    }

    let access: BrokerAccess
    let options: DeadLetterOptions
    /// The moment that ages are counted from.
    let now = Timestamp.now()

    /// Walks over a queue on a connection of its own, whose end puts back what was left.
    ///
    /// - Parameters:
    ///   - concurrency: how many letters are dealt with at once; they are begun in their order.
    ///   - most: how many letters are dealt with at most.
    ///   - book: counts on, so that it is right also after an error.
    ///   - act: deals with a letter that the filter means; whether it is removed then.
    func walk(
        _ queue: PipelineQueue, concurrency: Int = 1, most: UInt32?, _ book: Lock<Count>,
        _ act: @escaping @Sendable (StoredDeadLetter) async throws -> Bool
    ) async throws {
        let (filter, now) = (options.filter, now)
        let total = try await access.withConnection { connection in
            try await DeadLetterWalk(of: queue, on: connection, concurrency: concurrency).run { letter in
                if let most, book.withLock({ $0.matched }) >= most { return .end }
                // Nothing is waited for up to here, so letters are counted one by one.
                book.withLock { $0.seen += 1 }
                guard filter.matches(letter, at: now) else { return .leave }
                book.withLock { $0.matched += 1 }
                guard try await act(letter) else { return .leave }
                book.withLock { $0.done += 1 }
                return .remove
            }
        }
        book.withLock { $0.total = total }
        try Task.checkCancellation()
    }
}
