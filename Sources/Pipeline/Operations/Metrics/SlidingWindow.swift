/// How many events the last so many seconds saw.
///
/// A ring of one slot a second: its memory does not depend on the number of events, and the edge of the window is sharp
/// to one second. Pure: the time is handed in, as a duration since any fixed moment of a clock that never goes back.
package struct SlidingWindow: Sendable {
    private var slots: [Int64]
    /// The second that the newest slot counts.
    private var newest: Int64 = 0

    /// - Parameter seconds: the length of the window, at least 1.
    package init(seconds: Int) {
        slots = Array(repeating: 0, count: max(1, seconds))
    }

    /// Counts `count` events at `now`. A time before the newest one counts as the newest.
    package mutating func record(_ count: Int64 = 1, at now: Duration) {
        advance(to: now)
        slots[index(of: newest)] += count
    }

    /// The events of the window that ends at `now`.
    package mutating func total(at now: Duration) -> Int64 {
        advance(to: now)
        return slots.reduce(0, +)
    }

    /// `total(at:)` divided by the length of the window.
    package mutating func perSecond(at now: Duration) -> Double {
        Double(total(at: now)) / Double(slots.count)
    }

    /// Forgets the seconds that have left the window.
    private mutating func advance(to now: Duration) {
        let second = max(now.components.seconds, newest)
        // After a long silence each slot is cleared once, however long it was.
        let passed = min(second - newest, Int64(slots.count))
        for step in 0..<passed {
            slots[index(of: second - step)] = 0
        }
        newest = second
    }

    private func index(of second: Int64) -> Int {
        // A remainder smaller than an `Int`, on 32 bits too.
        Int(second % Int64(slots.count))
    }
}
