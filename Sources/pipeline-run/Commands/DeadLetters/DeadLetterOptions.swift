import ActorBus
import ArgumentParser
import Pipeline

/// Which dead letters a command is about. No environment variables: what a script deletes should stand in the script.
struct DeadLetterOptions: ParsableArguments {
    @Option(
        name: .customLong("queue"),
        help: ArgumentHelp(
            "Only those of this queue; may be repeated (default: all)",
            discussion: "The main queue's name, with or without .dlq", valueName: "name"))
    var queues: [DeadLetterQueueName] = []
    @Option(
        help: ArgumentHelp(
            "Only those of this class: malformed, rejected or exhausted, or what the broker calls its own: delivery_limit, "
                + "expired, maxlen", valueName: "class"))
    var error: DeadLetterClass?
    @Option(help: ArgumentHelp("Only those whose reason has this text in it", valueName: "text"))
    var reason: String?
    @Option(help: ArgumentHelp("Only those of this order: its number, or the correlation id", valueName: "id"))
    var order: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Only those that first failed longer ago, as in 30s, 15m, 2h or 7d", valueName: "time"),
        transform: Readers.age)
    var olderThan: Duration?
    @Option(
        parsing: .unconditional, help: ArgumentHelp("Only those that first failed since then", valueName: "time"),
        transform: Readers.age)
    var newerThan: Duration?
    @Option(
        parsing: .unconditional, help: ArgumentHelp("No more than so many of each queue", valueName: "n"),
        transform: Readers.whole(1...UInt32.max))
    var limit: UInt32?

    /// Every queue once, in the pipeline's order.
    var chosenQueues: [PipelineQueue] {
        queues.isEmpty ? PipelineQueue.allCases : PipelineQueue.allCases.filter { queues.map(\.queue).contains($0) }
    }

    var filter: DeadLetterFilter {
        DeadLetterFilter(
            error: error, reason: reason, order: order, olderThan: olderThan, newerThan: newerThan)
    }
}

extension DeadLetterClass: ExpressibleByArgument {}

/// A main queue, or its dead-letter queue, by name.
struct DeadLetterQueueName: ExpressibleByArgument, Sendable {
    let queue: PipelineQueue

    init?(argument: String) {
        let queue = PipelineQueue.allCases.first { argument == $0.rawValue || argument == $0.deadLetterQueue }
        guard let queue else { return nil }
        self.queue = queue
    }

    static var allValueStrings: [String] { PipelineQueue.allCases.map(\.rawValue) }
    static var defaultCompletionKind: CompletionKind { .list(allValueStrings) }
}
