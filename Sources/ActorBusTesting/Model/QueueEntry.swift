/// A message in one queue.
final class QueueEntry {
    let message: BrokerMessage
    /// Its place in the queue, to which a classic queue puts it back.
    let position: UInt64
    /// When it expires, in milliseconds of the broker's clock.
    let expiry: Int64?
    var wasDelivered: Bool
    /// How often it came back, for whatever reason.
    var returns: Int64 = 0
    /// How often its delivery failed, here and in the queues where it died.
    var failures: Int64

    init(_ message: BrokerMessage, position: UInt64, expiry: Int64?) {
        self.message = message
        self.position = position
        self.expiry = expiry
        wasDelivered = message.failures > 0
        failures = message.failures
    }
}

/// Entries in the order in which they are handed out.
struct Backlog {
    private var entries: [QueueEntry] = []
    private var head = 0

    var count: Int { entries.count - head }
    var first: QueueEntry? { head < entries.count ? entries[head] : nil }
    var all: ArraySlice<QueueEntry> { entries[head...] }

    mutating func append(_ entry: QueueEntry) { entries.append(entry) }

    /// Puts an entry back where it stood among the others.
    mutating func insertByPosition(_ entry: QueueEntry) {
        var low = head
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].position < entry.position { low = middle + 1 } else { high = middle }
        }
        entries.insert(entry, at: low)
    }

    mutating func popFirst() -> QueueEntry? {
        guard head < entries.count else { return nil }
        let entry = entries[head]
        head += 1
        if head > 64, head * 2 > entries.count {
            entries.removeFirst(head)
            head = 0
        }
        return entry
    }

    mutating func removeAll() {
        entries = []
        head = 0
    }
}
