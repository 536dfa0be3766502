#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif
import ActorBus
import ArgumentParser
import Pipeline

/// `dlq purge`: away with them.
struct PurgeLetters: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge", abstract: "Deletes dead letters for good, after a question.",
        discussion: """
            Counts first, asks, and deletes at most as many as it has counted. Without a terminal to ask at it refuses, \
            exit code 64, unless --yes says that nobody need be asked. An answer other than yes deletes nothing, exit \
            code 1.
            """)

    @OptionGroup(title: "Broker") var broker: BrokerOptions
    @OptionGroup(title: "Letters") var options: DeadLetterOptions
    @Flag(help: "Delete without a question.") var yes = false
    @Flag(help: "Only say what would be deleted.") var dryRun = false
    @Flag(help: "One JSON object a queue.") var json = false

    func run() async throws {
        await OperatorCommand.run { [self] in
            guard yes || dryRun || isatty(0) == 1 else {
                throw ConfigurationError(
                    .usage,
                    "dlq purge deletes for good and there is no terminal to ask at; say --yes, or --dry-run to look")
            }
            let access = try BrokerAccess(broker)
            access.sayWarnings()
            let round = DeadLetterRound(access: access, options: options)
            let counted =
                options.filter.takesAll ? try await depths(access) : try await pass(round, most: nil, removes: false)
            let total = counted.reduce(0) { $0 + UInt64($1.matched) }
            if dryRun {
                for count in counted { report(count) }
                return 0
            }
            if !yes, total > 0 {
                let queues = counted.filter { $0.matched > 0 }.map { "\($0.matched) from \($0.queue.deadLetterQueue)" }
                guard Question.isAnsweredYes("Delete \(queues.joined(separator: ", ")) for good?") else {
                    OperatorCommand.note("nothing was deleted")
                    return ExitStatus.failure
                }
            }
            let most = Dictionary(uniqueKeysWithValues: counted.map { ($0.queue, $0.matched) })
            for (count, before) in zip(try await pass(round, most: most, removes: true), counted) {
                var whole = before
                whole.done = count.done
                // A queue with nothing to delete was not walked over.
                if before.matched > 0 { whole.tally.left = count.tally.left }
                report(whole)
            }
            return 0
        }
    }

    /// How many letters every queue has, where no filter has to look at them.
    private func depths(_ access: BrokerAccess) async throws -> [DeadLetterRound.Count] {
        try await access.withConnection { connection in
            var counts: [DeadLetterRound.Count] = []
            for queue in options.chosenQueues {
                let depth = try await connection.inspect(queue: queue.deadLetterQueue).messages
                var count = DeadLetterRound.Count(queue: queue)
                count.matched = min(depth, options.limit ?? .max)
                count.tally.total = depth
                count.tally.visited = count.matched
                count.tally.left = depth
                counts.append(count)
            }
            return counts
        }
    }

    /// One walk over every queue.
    ///
    /// - Parameter most: how many of each queue at most; nil for the flag's limit.
    private func pass(
        _ round: DeadLetterRound, most: [PipelineQueue: UInt32]?, removes: Bool
    ) async throws -> [DeadLetterRound.Count] {
        var counts: [DeadLetterRound.Count] = []
        for queue in options.chosenQueues {
            let book = Lock(DeadLetterRound.Count(queue: queue))
            let limit = most.map { $0[queue] ?? 0 } ?? options.limit
            if limit != 0 {
                do {
                    try await round.walk(queue, DeadLetterRound.Manner(removes: removes), most: limit, book) { _ in
                        removes
                    }
                } catch {
                    let count = book.withLock { $0 }
                    if count.done > 0 { report(count) }
                    throw error
                }
            }
            counts.append(book.withLock { $0 })
        }
        return counts
    }

    private func report(_ count: DeadLetterRound.Count) {
        OperatorCommand.print(
            LetterCount(verb: dryRun ? "would be deleted" : "deleted", key: "deleted", isDry: dryRun, count)
                .text(json: json))
    }
}

/// A question to the person at the terminal.
enum Question {
    /// Asks on standard error and waits for a line on standard input. Anything but `y` or `yes` is a no, and so is a
    /// stop signal.
    static func isAnsweredYes(_ question: String) -> Bool {
        LineWriter.standardError.write(Array("\(question) [y/N] ".utf8))
        var waiting = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
        while unsafe poll(&waiting, 1, 200) == 0 {
            if Task.isCancelled { return false }
        }
        let answer = readLine()?.lowercased() ?? ""
        return answer == "y" || answer == "yes"
    }
}
