/// The pauses between attempts: doubling, with jitter, so that the clients of a broker that comes back do not all come at
/// once. Pure: random numbers and time are passed in.
///
/// They begin anew only when what was reached has lasted twice the longest pause. A broker that accepts a connection and
/// ends it again at once is so asked no more often than one that does not answer.
struct Backoff {
    private let range: ClosedRange<Duration>
    private var ceiling: Duration
    /// Since when there has been what the attempts were for; nil while there is not.
    private var reached: Instant?

    init(_ range: ClosedRange<Duration>) {
        self.range = range
        ceiling = range.lowerBound
    }

    /// The next pause: between nothing and a ceiling that doubles from the range's lower to its upper bound. `jitter` says
    /// where between them, from 0 for nothing to the largest number for the ceiling.
    mutating func next(jitter: UInt64) -> Duration {
        let count = UInt64(max(0, ceiling.nanoseconds)) + 1
        ceiling = min(ceiling * 2, range.upperBound)
        return .nanoseconds(Int64(count.multipliedFullWidth(by: jitter).high))
    }

    /// An attempt succeeded.
    mutating func succeeded(at now: Instant) { reached = reached ?? now }

    /// What was reached is lost again. Returns whether it had lasted.
    @discardableResult
    mutating func lost(at now: Instant) -> Bool {
        guard let since = reached.take() else { return false }
        guard now >= since + range.upperBound + range.upperBound else { return false }
        ceiling = range.lowerBound
        return true
    }
}
