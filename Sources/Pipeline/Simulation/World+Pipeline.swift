package import ActorBus

extension World {
    /// The moment that the calendar shows.
    package var timestamp: Timestamp { Timestamp(clamping: calendarTime) }

    /// For a pause that is not to be that of others: 0 to 1.
    var jitter: Double {
        var randomness = randomness
        return .random(in: 0...1, using: &randomness)
    }
}
