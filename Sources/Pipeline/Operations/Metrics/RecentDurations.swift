/// The durations of what happened lately, as they were: those of the last seconds, and of these the newest.
///
/// Pure: the time is handed in, as a duration since any fixed moment of a clock that never goes back.
package struct RecentDurations: Sendable {
    private struct Entry: Sendable {
        let time: Duration
        let duration: Duration
    }

    private let window: Duration
    private let capacity: Int
    /// In the order of time, from `oldest` on once there are as many as may be.
    private var entries: [Entry] = []
    private var oldest = 0

    /// - Parameters:
    ///   - window: how long a duration counts.
    ///   - capacity: how many are kept at most, 1 or more.
    package init(window: Duration, capacity: Int) {
        self.window = window
        self.capacity = max(1, capacity)
    }

    package mutating func record(_ duration: Duration, at now: Duration) {
        let entry = Entry(time: now, duration: duration)
        guard entries.count == capacity else { return entries.append(entry) }
        entries[oldest] = entry
        oldest = oldest + 1 == capacity ? 0 : oldest + 1
    }

    /// The least of the durations that this share of all is not above: 0.5 gives the median, of an even number the lower
    /// of the two in the middle. Nil where there are none.
    package func quantile(_ share: Double, at now: Duration) -> Duration? {
        let counted = entries.filter { now - $0.time < window }.map(\.duration).sorted()
        guard !counted.isEmpty else { return nil }
        let rank = (share * Double(counted.count)).rounded(.up)
        return counted[min(max(Int(rank), 1), counted.count) - 1]
    }
}
