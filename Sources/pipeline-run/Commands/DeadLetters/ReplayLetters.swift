import ActorBus
import ArgumentParser
import Pipeline

/// `dlq replay`: back to where they failed.
struct ReplayLetters: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Sends dead letters back to their queue.",
        discussion: """
            Each message goes to the main queue that it failed in and to no other, and its letter is taken away when the \
            broker has confirmed that; whatever comes between, nothing is lost, and a message may come twice. The \
            headers x-reason, x-error, x-attempts and x-original-queue and the broker's x-death are taken off, so that \
            it has all its attempts again; x-first-failed-at and x-original-exchange stay. What fails again comes back \
            as a new letter, which this command does not wait for. A note of a message that was too large to keep is \
            not replayed.
            Writes one line a queue: letters looked at, replayed, left in the queue. Exit code 1 when one of those meant \
            could not be replayed.
            """)

    @OptionGroup(title: "Broker") var broker: BrokerOptions
    @OptionGroup(title: "Letters") var options: DeadLetterOptions
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Messages a second (default: as fast as the broker confirms)", valueName: "n"),
        transform: Readers.messagesPerSecond)
    var rate: Double?
    @Flag(help: "Only say what would be replayed.") var dryRun = false
    @Flag(help: "One JSON object a queue.") var json = false

    func run() async throws {
        await OperatorCommand.run { [self] in
            let access = try BrokerAccess(broker)
            access.sayWarnings()
            // Consuming and publishing have a connection each: an alarm of the broker stops the publisher's only.
            return try await access.withConnection { publishing in
                let replay = try await DeadLetterReplay(over: publishing)
                let rate = rate.map { Lock(SteadyRate(perSecond: $0)) }
                let round = DeadLetterRound(access: access, options: options)
                let stuck = Lock<UInt32>(0)
                for queue in options.chosenQueues {
                    let book = Lock(DeadLetterRound.Count(queue: queue))
                    do {
                        try await round.walk(queue, manner(rate), most: options.limit, book) { letter in
                            if let obstacle = Self.obstacle(to: letter) {
                                OperatorCommand.note("a letter in \(queue.deadLetterQueue) is left: \(obstacle)")
                                stuck.withLock { $0 += 1 }
                                return false
                            }
                            guard !dryRun else { return false }
                            if let rate {
                                let wait = rate.withLock { $0.wait(at: MonotonicTime.sinceFirstUse()) }
                                if wait > .zero { try await Task.sleep(for: wait) }
                            }
                            do {
                                try await replay.send(letter)
                                return true
                            } catch let error as AMQPError where PublishFailure(error) == .message {
                                OperatorCommand.note("a letter in \(queue.deadLetterQueue) is left: \(error)")
                                stuck.withLock { $0 += 1 }
                                return false
                            }
                        }
                    } catch {
                        report(book.withLock { $0 })
                        throw error
                    }
                    report(book.withLock { $0 })
                }
                return stuck.withLock { $0 } > 0 ? ExitStatus.failure : 0
            }
        }
    }

    /// Why a letter has nothing that could be replayed; nil where it has.
    private static func obstacle(to letter: StoredDeadLetter) -> String? {
        if let fault = letter.headersFault { return "its headers cannot be read: \(fault)" }
        if let fault = letter.message.largeBody?.fault { return "its body could not be kept: \(fault)" }
        guard letter.isNote else { return nil }
        return "it is only a note of a message that could not be kept; publish that message again from where it came"
    }

    /// Without a rate as many at once as the broker confirms. At a rate one by one, since it says when the next one may
    /// go, and none is held while that is long.
    private func manner(_ rate: Lock<SteadyRate>?) -> DeadLetterRound.Manner {
        guard let rate, let perSecond = self.rate else {
            return DeadLetterRound.Manner(concurrency: DeadLetterReplay.window)
        }
        let halfASecond = UInt32(min(max(perSecond / 2, 1), 1_000))
        return DeadLetterRound.Manner(batch: halfASecond) {
            let wait = rate.withLock { $0.untilNext(at: MonotonicTime.sinceFirstUse()) }
            if wait > .zero { try await Task.sleep(for: wait) }
        }
    }

    private func report(_ count: DeadLetterRound.Count) {
        OperatorCommand.print(
            LetterCount(verb: dryRun ? "would be replayed" : "replayed", key: "replayed", isDry: dryRun, count)
                .text(json: json))
    }
}

/// What became of a queue's letters, in a line.
struct LetterCount {
    let verb: String
    let key: StaticString
    let isDry: Bool
    let count: DeadLetterRound.Count

    init(verb: String, key: StaticString, isDry: Bool, _ count: DeadLetterRound.Count) {
        self.verb = verb
        self.key = key
        self.isDry = isDry
        self.count = count
    }

    func text(json: Bool) -> String {
        let tally = count.tally
        guard json else {
            let done = isDry ? count.matched : count.done
            let left = tally.left.map { "\($0) left in the queue" } ?? "how many are left in the queue is not known"
            return
                "\(count.queue.deadLetterQueue): looked at \(tally.visited) of \(tally.total), \(done) \(verb), \(left)"
        }
        var json = JSONWriter(capacity: 192)
        json.beginObject()
        json.name("queue")
        json.string(count.queue.rawValue)
        json.name("total")
        json.whole(Int64(tally.total))
        json.name("looked_at")
        json.whole(Int64(tally.visited))
        json.name("matched")
        json.whole(Int64(count.matched))
        json.name(key)
        json.whole(Int64(count.done))
        json.name("left")
        if let left = tally.left { json.whole(Int64(left)) } else { json.null() }
        json.name("dry_run")
        json.bool(isDry)
        json.endObject()
        return String(decoding: json.bytes, as: UTF8.self)
    }
}
