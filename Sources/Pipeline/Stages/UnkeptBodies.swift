import ActorBus

/// What becomes of messages that are too large to be read, and whose bodies this process could not keep: the disk is full,
/// there are no descriptors left, every folder lies in memory.
///
/// That may pass, and a note in place of the message would destroy it. A queue that dead-letters moves the message as it
/// is; elsewhere it goes back and comes again a few times, half a minute in all, and only then becomes a note. Others wait
/// behind it meanwhile, so it cannot be for longer.
final class UnkeptBodies: Sendable {
    enum Step: Sendable, Equatable {
        /// The broker moves it to the dead-letter queue.
        case reject
        /// Back to its queue after a pause.
        case requeue(after: Duration)
    }

    static let pauses: [Duration] = [.seconds(1), .seconds(2), .seconds(4), .seconds(8), .seconds(15)]
    /// How many bodies are remembered. When there are more, all are counted anew.
    private static let mostRemembered = 1_000

    private let isDeadLettered: Bool
    /// How often each came without its bytes, by its digest.
    private let comings = Lock<[String: Int]>([:])

    /// - Parameter isDeadLettered: whether the queue moves what is rejected to its dead-letter queue.
    init(isDeadLettered: Bool) {
        self.isDeadLettered = isDeadLettered
    }

    /// Nil for a body that was kept, and for one that came often enough.
    func step(for body: LargeBody) -> Step? {
        guard body.fault != nil else {
            comings.withLock { comings in
                if !comings.isEmpty { comings[body.sha256] = nil }
            }
            return nil
        }
        if isDeadLettered { return .reject }
        return comings.withLock { comings in
            let count = comings[body.sha256] ?? 0
            guard count < Self.pauses.count else {
                comings[body.sha256] = nil
                return nil
            }
            if comings.count >= Self.mostRemembered { comings = [:] }
            comings[body.sha256] = count + 1
            return .requeue(after: Self.pauses[count])
        }
    }
}

extension Topology {
    /// Whether the broker moves what is rejected from the queue to its dead-letter queue.
    func deadLetters(_ queue: PipelineQueue) -> Bool {
        let arguments = queues.first { $0.name == queue.rawValue }?.arguments
        return arguments?["x-dead-letter-routing-key"]?.text == queue.deadLetterQueue
    }
}
