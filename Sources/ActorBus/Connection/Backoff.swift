/// The pauses between attempts to recover: doubling, with jitter, so that the clients of a broker that comes back do
/// not all come at once. Pure: randomness is passed in.
struct Backoff {
    private let range: ClosedRange<Duration>
    private var ceiling: Duration

    init(_ range: ClosedRange<Duration>) {
        self.range = range
        ceiling = range.lowerBound
    }

    /// The next pause: between nothing and a ceiling that doubles from the range's lower to its upper bound.
    mutating func next(using random: inout some RandomNumberGenerator) -> Duration {
        let nanoseconds = Int64.random(in: 0...max(0, ceiling.nanoseconds), using: &random)
        ceiling = min(ceiling * 2, range.upperBound)
        return .nanoseconds(nanoseconds)
    }
}
