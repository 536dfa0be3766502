import ActorBus
import ArgumentParser
import Pipeline

/// `dlq list`: a line for each letter.
struct ListLetters: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "A line for each dead letter, without its body.")

    @OptionGroup(title: "Broker") var broker: BrokerOptions
    @OptionGroup(title: "Letters") var options: DeadLetterOptions
    @Flag(help: "One JSON object a line.") var json = false

    func run() async throws {
        await OperatorCommand.run { [self] in
            let access = try BrokerAccess(broker)
            access.sayWarnings()
            let round = DeadLetterRound(access: access, options: options)
            if !json { OperatorCommand.print(LetterLine.heading) }
            let shown = Lock(Shown())
            defer { OperatorCommand.note(shown.withLock { $0.words }) }
            for queue in options.chosenQueues {
                let book = Lock(DeadLetterRound.Count(queue: queue))
                defer {
                    let count = book.withLock { $0 }
                    shown.withLock { $0.add(count) }
                }
                try await round.walk(queue, most: options.limit, book) { letter in
                    OperatorCommand.print(
                        json ? LetterText.json(letter, withBody: false) : LetterLine.text(letter, at: round.now))
                    return false
                }
            }
            return 0
        }
    }
}

/// How many letters were shown of how many.
struct Shown: Sendable {
    private var (matched, total): (UInt64, UInt64) = (0, 0)

    mutating func add(_ count: DeadLetterRound.Count) {
        matched += UInt64(count.matched)
        total += UInt64(count.tally.total)
    }

    var words: String { "\(matched) of \(total) dead letters" }
}

/// `dlq peek`: whole letters.
struct PeekLetters: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peek", abstract: "Shows dead letters whole: headers, properties and body.",
        discussion: "Ten of each queue, unless --limit says otherwise.")

    private static let standardLimit: UInt32 = 10

    @OptionGroup(title: "Broker") var broker: BrokerOptions
    @OptionGroup(title: "Letters") var options: DeadLetterOptions
    @Flag(help: "One JSON object a line.") var json = false

    func run() async throws {
        await OperatorCommand.run { [self] in
            let access = try BrokerAccess(broker)
            access.sayWarnings()
            let round = DeadLetterRound(access: access, options: options)
            let shown = Lock(Shown())
            defer { OperatorCommand.note(shown.withLock { $0.words }) }
            for queue in options.chosenQueues {
                let book = Lock(DeadLetterRound.Count(queue: queue))
                defer {
                    let count = book.withLock { $0 }
                    shown.withLock { $0.add(count) }
                }
                try await round.walk(queue, most: options.limit ?? Self.standardLimit, book) { letter in
                    if json {
                        OperatorCommand.print(LetterText.json(letter, withBody: true))
                    } else {
                        for line in LetterText.lines(letter) { OperatorCommand.print(line) }
                    }
                    return false
                }
            }
            return 0
        }
    }
}
