package import ActorBus

extension World {
    /// The moment that the calendar shows.
    package var timestamp: Timestamp { Timestamp(clamping: calendarTime) }

    /// The time since a fixed moment, for what measures spans.
    package var monotonicTime: Duration { .nanoseconds(now.nanoseconds) }

    /// For a pause that is not to be that of others: 0 to 1.
    var jitter: Double {
        var randomness = randomness
        return .random(in: 0...1, using: &randomness)
    }
}
