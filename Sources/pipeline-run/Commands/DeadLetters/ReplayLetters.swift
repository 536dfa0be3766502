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
            headers x-reason, x-error, x-attempts and x-original-queue are taken off, so that it has all its attempts \
            again; x-first-failed-at and x-original-exchange stay. What fails again comes back as a new letter, which \
            this command does not wait for.
            Writes one line a queue: letters meant, replayed, left. Exit code 1 when one of those meant could not be.
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
                        // At a rate one by one, since it says when the next one may go.
                        let concurrency = rate == nil ? DeadLetterReplay.window : 1
                        try await round.walk(
                            queue, concurrency: concurrency, most: options.limit, book
                        ) { letter in
                            guard !dryRun else { return false }
                            if let fault = letter.headersFault {
                                OperatorCommand.note(
                                    "a letter in \(queue.deadLetterQueue) is left, since its headers cannot be read: \(fault)"
                                )
                                stuck.withLock { $0 += 1 }
                                return false
                            }
                            if let rate {
                                let wait = rate.withLock { $0.wait(at: MonotonicTime.sinceFirstUse()) }
                                if wait > .zero { try await Task.sleep(for: wait) }
                            }
                            do {
                                try await replay.send(letter)
                                return true
                            } catch let error as AMQPError where error.code == .invalidMessage {
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
        let done = isDry ? count.matched : count.done
        guard json else {
            return
                "\(count.queue.deadLetterQueue): \(done) \(verb), \(count.seen - done) of \(count.seen) looked at left"
        }
        var json = JSONWriter(capacity: 128)
        json.beginObject()
        json.name("queue")
        json.string(count.queue.rawValue)
        json.name("matched")
        json.whole(Int64(count.matched))
        json.name(key)
        json.whole(Int64(count.done))
        json.name("left")
        json.whole(Int64(count.seen - count.done))
        json.name("dry_run")
        json.bool(isDry)
        json.endObject()
        return String(decoding: json.bytes, as: UTF8.self)
    }
}
