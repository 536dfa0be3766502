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
    @Option(help: ArgumentHelp("Only those of this class: malformed, rejected or exhausted", valueName: "class"))
    var error: DeadLetter.Fault?
    @Option(help: ArgumentHelp("Only those whose reason has this text in it", valueName: "text"))
    var reason: String?
    @Option(help: ArgumentHelp("Only those of this order: its number, or the correlation id", valueName: "id"))
    var order: String?
    @Option(
        help: ArgumentHelp("Only those that first failed longer ago, as in 30s, 15m, 2h or 7d", valueName: "time"))
    var olderThan: Age?
    @Option(help: ArgumentHelp("Only those that first failed since then", valueName: "time"))
    var newerThan: Age?
    @Option(help: ArgumentHelp("No more than so many of each queue", valueName: "n"))
    var limit: PositiveCount?

    /// Every queue once, in the pipeline's order.
    var chosenQueues: [PipelineQueue] {
        queues.isEmpty ? PipelineQueue.allCases : PipelineQueue.allCases.filter { queues.map(\.queue).contains($0) }
    }

    var filter: DeadLetterFilter {
        DeadLetterFilter(
            error: error, reason: reason, order: order, olderThan: olderThan?.duration, newerThan: newerThan?.duration)
    }
}

extension DeadLetter.Fault: ExpressibleByArgument {}

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

/// A length of time with its unit: `30s`, `15m`, `2h`, `7d`.
struct Age: ExpressibleByArgument, Sendable, Equatable {
    let duration: Duration

    init?(argument: String) {
        let seconds: Int64? =
            switch argument.last {
            case "s": 1
            case "m": 60
            case "h": 3600
            case "d": 86_400
            default: nil
            }
        let digits = argument.dropLast()
        guard let seconds, Readers.isDigits(digits), digits.utf8.count <= 9, let count = Int64(digits) else {
            return nil
        }
        duration = .seconds(count * seconds)
    }

    /// An age as a person reads it, in its largest unit.
    static func text(_ duration: Duration) -> String {
        let seconds = duration.components.seconds
        return switch seconds {
        case ..<0: "0s"
        case ..<120: "\(seconds)s"
        case ..<7200: "\(seconds / 60)m"
        case ..<172_800: "\(seconds / 3600)h"
        default: "\(seconds / 86_400)d"
        }
    }
}

/// A whole number above zero.
struct PositiveCount: ExpressibleByArgument, Sendable {
    let number: UInt32

    init(_ number: UInt32) { self.number = number }

    init?(argument: String) {
        guard Readers.isDigits(argument), let number = UInt32(argument), number > 0 else { return nil }
        self.number = number
    }

    var defaultValueDescription: String { "\(number)" }
}

/// Messages a second, above zero.
struct MessageRate: ExpressibleByArgument, Sendable {
    let perSecond: Double

    init?(argument: String) {
        let isPlain = argument.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2E }
        guard isPlain, let number = Double(argument), number >= 0.001, number <= 1_000_000 else { return nil }
        perSecond = number
    }
}
