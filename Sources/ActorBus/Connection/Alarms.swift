/// When the connection's machines want to be woken: one instant for each that waits. The loop sleeps until the earliest, so a
/// pause holds no task, and nothing that would keep a dropped connection alive.
struct Alarms<Key: Equatable> {
    /// Few, so looking through all of them costs less than keeping them in order.
    private var set: [(key: Key, instant: Instant)] = []
    /// The earliest; nil when nothing waits. All that a turn of the loop looks at.
    private(set) var next: Instant?

    var count: Int { self.set.count }

    /// Sets the alarm of `key`, in place of the one it may have.
    mutating func set(_ key: Key, at instant: Instant) {
        set.removeAll { $0.key == key }
        set.append((key, instant))
        findNext()
    }

    mutating func clear(_ key: Key) {
        set.removeAll { $0.key == key }
        findNext()
    }

    /// Takes out what is due, the earliest first.
    mutating func takeDue(at now: Instant) -> [Key] {
        let due = set.filter { $0.instant <= now }.sorted { $0.instant < $1.instant }
        set.removeAll { $0.instant <= now }
        findNext()
        return due.map { $0.key }
    }

    private mutating func findNext() {
        next = nil
        for alarm in set { next = .earlier(next, alarm.instant) }
    }
}
