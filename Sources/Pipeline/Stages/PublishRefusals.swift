import ActorBus

/// Where the broker refuses what a service publishes: there the last answer was no, and no later one was yes.
final class PublishRefusals: Sendable {
    private struct Refusal {
        let words: String
        let at: Instant
    }

    /// As long as a message may wait before it is tried again. After that nobody knows.
    private let memory: Duration
    private let world: World
    private let standing = Lock<[PublishTarget: Refusal]>([:])

    init(memory: Duration, in world: World) {
        self.memory = memory
        self.world = world
    }

    /// In a line; nil while nothing is refused.
    var reason: String? {
        let now = world.now
        return standing.withLock { standing in
            standing = standing.filter { now - $0.value.at < memory }
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
        let refusal = Refusal(words: words, at: world.now)
        standing.withLock { $0[target] = refusal }
    }
}
