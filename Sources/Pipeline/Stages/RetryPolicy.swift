/// How often, and after what pauses, something is tried again whose failure is not the message's fault.
package struct RetryPolicy: Sendable, Equatable {
    /// How often in all, the first time included.
    package let attempts: Int
    /// The longest pause after the first failure; it doubles with each failure, up to `longest`.
    package let first: Duration
    package let longest: Duration

    package init(attempts: Int, first: Duration, longest: Duration) {
        self.attempts = attempts
        self.first = first
        self.longest = longest
    }

    /// A few times within half a second: what takes longer to pass is waited for in a queue, where it keeps nobody busy.
    package static let inPlace = RetryPolicy(attempts: 3, first: .milliseconds(100), longest: .seconds(1))

    /// Without end, for what waits for the broker.
    package static let steadfast = RetryPolicy(attempts: .max, first: .milliseconds(200), longest: .seconds(30))

    /// For what the broker took and did not confirm in time: each attempt may be one more copy of the message.
    package static let unconfirmed = RetryPolicy(attempts: .max, first: .seconds(1), longest: .seconds(300))

    /// The pause after so many failures, nil when it has been tried often enough.
    ///
    /// - Parameter jitter: from 0 to 1, the share of the pause that is really waited beyond its half; drawn at random,
    ///   so that many that failed together do not come back together.
    package func pause(afterFailures failures: Int, jitter: Double) -> Duration? {
        guard failures < attempts else { return nil }
        var pause = first
        for _ in 1..<max(failures, 1) where pause < longest { pause *= 2 }
        pause = min(pause, longest)
        return pause / 2 + (pause / 2) * min(max(jitter, 0), 1)
    }
}
