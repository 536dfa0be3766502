import ActorBus

/// Where the broker refuses what a service publishes: there the last answer was no, and no later one was yes.
final class PublishRefusals: Sendable {
    private struct Refusal {
        let words: String
        let at: ContinuousClock.Instant
    }

    /// As long as a message may wait before it is tried again. After that nobody knows.
    private let memory: Duration
    private let standing = Lock<[PublishTarget: Refusal]>([:])

    init(memory: Duration) {
        self.memory = memory
    }

    /// In a line; nil while nothing is refused.
    var reason: String? {
        let now = ContinuousClock.now
        return standing.withLock { standing in
            standing = standing.filter { $0.value.at.duration(to: now) < memory }
            return standing.max { $0.value.at < $1.value.at }.map { "publishing is refused: \($0.value.words)" }
        }
    }

    func taken(by target: PublishTarget) {
        standing.withLock { standing in
            if !standing.isEmpty { standing[target] = nil }
        }
    }

    func refused(by target: PublishTarget, _ error: AMQPError) {
        let words = PrintableText.of("\(target): \(error.message)", limit: 300)
        standing.withLock { $0[target] = Refusal(words: words, at: .now) }
    }
}
