package import ActorBus

/// Sends dead letters back to the queue that they failed in.
///
/// A letter is taken out of its queue only when the broker has confirmed that its message stands in the main queue. A
/// process that is killed in between leaves both: the message is then worked on, and can be replayed once more, and
/// nothing is lost.
package struct DeadLetterReplay: Sendable {
    private let publisher: Publisher

    /// Messages that may wait for their confirm at once.
    package static let window = 50

    /// - Parameter connection: used for publishing only, since a broker short of memory stops reading a publisher's
    ///   socket.
    package init(over connection: AMQPConnection) async throws {
        publisher = try await connection.publisher(window: Self.window)
    }

    /// Returns when the message is in the main queue, and only there: the default exchange takes the queue's name as
    /// routing key. Throws as `Publisher.publish` does; see ``PublishFailure`` for what that means for the letter.
    ///
    /// Begun at once, so that messages go in the order of the calls. Carried through when the task is cancelled, within
    /// the publisher's deadline: cut short, it would leave the letter beside its message.
    package func send(_ letter: StoredDeadLetter) async throws {
        try await Task.immediate {
            try await publisher.publish(
                DeadLetter.replayed(letter.message), to: "", routingKey: letter.queue.rawValue, mandatory: true)
        }.value
    }
}

/// When the next of a steady flow may go: pure, told of the time.
package struct SteadyRate: Sendable {
    private let interval: Duration
    private var next: Duration = .zero

    /// - Parameter perSecond: above zero.
    package init(perSecond: Double) {
        interval = .seconds(1 / perSecond)
    }

    /// How long until the next one may go, without taking its place.
    package func untilNext(at now: Duration) -> Duration { max(next - now, .zero) }

    /// How long to wait before the next one, at a time since any fixed moment. What was not used is not saved up.
    package mutating func wait(at now: Duration) -> Duration {
        let start = max(now, next)
        next = start + interval
        return start - now
    }
}
