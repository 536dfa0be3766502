/// What is done about a message that failed for a reason which may pass: it is tried again in place a few times, then
/// after longer and longer stays in delayed-retry queues, and then it is a dead letter.
///
/// Pure, and knows nothing of what the messages are about.
package struct FailurePolicy: Sendable, Equatable {
    /// Attempts during one delivery.
    package let inPlace: RetryPolicy
    /// The stays in retry queues, in turn.
    package let delays: [RetryDelay]

    package init(inPlace: RetryPolicy = .inPlace, delays: [RetryDelay] = .standard) {
        self.inPlace = inPlace
        self.delays = delays
    }

    package enum Step: Sendable, Equatable {
        /// The same delivery is tried again after a pause.
        case inPlace(after: Duration)
        /// The message goes to the retry queue of this delay.
        case later(RetryDelay)
        /// Tried as often as is allowed.
        case exhausted
    }

    /// What follows on a failure.
    ///
    /// - Parameters:
    ///   - failures: how many attempts of this delivery have failed, 1 at least.
    ///   - history: of the deliveries before.
    ///   - jitter: from 0 to 1, see ``RetryPolicy/pause(afterFailures:jitter:)``.
    package func step(afterFailures failures: Int, _ history: FailureHistory, jitter: Double) -> Step {
        if let pause = inPlace.pause(afterFailures: failures, jitter: jitter) { return .inPlace(after: pause) }
        return step(after: history)
    }

    /// What follows once no further attempt is to be made in place.
    package func step(after history: FailureHistory) -> Step {
        history.retries < delays.count ? .later(delays[history.retries]) : .exhausted
    }
}
