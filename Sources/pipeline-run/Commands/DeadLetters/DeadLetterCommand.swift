import ActorBus
import ArgumentParser
import Pipeline

/// `dlq`: what nothing could be done with, and what to do with it now.
struct DeadLetterCommand: CommandGroup {
    static let configuration = CommandConfiguration(
        commandName: "dlq", abstract: "Lists, shows, replays or deletes dead letters.",
        discussion: """
            A dead letter says in its headers why it is one, ours or the broker's x-death. Commands go once round a \
            queue, over the letters that stand there when they begin. A letter that is left is written again to the end \
            of its queue before the one in hand is acknowledged, and after the round the order is as before: a letter \
            that is returned is counted by a quorum queue, and destroyed at its delivery limit. Only what the broker does \
            not take again (larger than its max_message_size by now, headers that cannot be read) has to be returned, \
            once a look, and is told of with how often it was. A crash in between may double a letter. To look at \
            letters therefore needs the right to write to the default exchange (amq.default).
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
        var tally = DeadLetterWalk.Tally()
    }

    let access: BrokerAccess
    let options: DeadLetterOptions
    /// The moment that ages are counted from.
    let now = Timestamp.now()

    /// How a command goes about the letters.
    struct Manner: Sendable {
        /// How many letters are dealt with at once; they are begun in their order.
        var concurrency = 1
        /// How many letters are held at once at most; nil for as many as a walk holds.
        var batch: UInt32?
        /// Whether every letter that the filter means is removed, whatever it is.
        var removes = false
        /// Waited for before letters are taken.
        var pause: @Sendable () async throws -> Void = {}
    }

    /// Walks over a queue on connections of its own.
    ///
    /// - Parameters:
    ///   - most: how many letters are dealt with at most.
    ///   - book: counts on, so that it is right also after an error.
    ///   - act: deals with a letter that the filter means; whether it is removed then.
    func walk(
        _ queue: PipelineQueue, _ manner: Manner = Manner(), most: UInt32?, _ book: Lock<Count>,
        _ act: @escaping @Sendable (StoredDeadLetter) async throws -> Bool
    ) async throws {
        let tally = Lock(DeadLetterWalk.Tally())
        let release = Lock<BrokerRelease?>(nil)
        defer {
            let tally = tally.withLock { $0 }
            book.withLock { $0.tally = tally }
            sayWhatIsLeft(tally, of: queue, release.withLock { $0 })
        }
        try await access.withConnection { connection in
            let found = BrokerRelease(await connection.serverName)
            release.withLock { $0 = found }
            // Only a letter that is left is written again.
            guard !manner.removes || !options.filter.takesAll else {
                return try await walk(queue, on: connection, copying: nil, manner, most, tally, book, act)
            }
            try await access.withConnection { copying in
                try await walk(queue, on: connection, copying: copying, manner, most, tally, book, act)
            }
        }
        try Task.checkCancellation()
    }

    private func walk(
        _ queue: PipelineQueue, on connection: AMQPConnection, copying: AMQPConnection?, _ manner: Manner,
        _ most: UInt32?, _ tally: Lock<DeadLetterWalk.Tally>, _ book: Lock<Count>,
        _ act: @escaping @Sendable (StoredDeadLetter) async throws -> Bool
    ) async throws {
        let (filter, now) = (options.filter, now)
        let walk = DeadLetterWalk(
            of: queue, on: connection, copying: copying, concurrency: manner.concurrency, batch: manner.batch)
        try await walk.run(tally, most: filter.takesAll ? most : nil, pause: manner.pause) { letter in
            if let most, book.withLock({ $0.matched }) >= most { return .end }
            guard filter.matches(letter, at: now) else { return .leave }
            // Nothing is waited for up to here, so letters are counted one by one.
            book.withLock { $0.matched += 1 }
            guard try await act(letter) else { return .leave }
            book.withLock { $0.done += 1 }
            return .remove
        }
    }

    private func sayWhatIsLeft(_ tally: DeadLetterWalk.Tally, of queue: PipelineQueue, _ release: BrokerRelease?) {
        let returned = ReturnedLetters(
            queue: queue, letters: tally.returned, release: release, virtualHost: access.broker.virtualHost)
        for line in returned.lines { OperatorCommand.note(line) }
        if tally.isReordered {
            OperatorCommand.note(
                "the round was broken off: letters that were looked at stand at the end of \(queue.deadLetterQueue) now"
            )
        }
        if tally.doubtful > 0 {
            OperatorCommand.note(
                "\(tally.doubtful) letters that were dealt with may still be in \(queue.deadLetterQueue)")
        }
    }
}
