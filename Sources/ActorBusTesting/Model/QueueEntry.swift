/// A message in one queue.
final class QueueEntry {
    let message: BrokerMessage
    /// Its place in the queue, to which a classic queue puts it back.
    let position: UInt64
    /// The lane of its priority.
    let lane: Int
    /// When it expires, in milliseconds of the broker's clock.
    let expiry: Int64?
    /// When it is on disk, where it is kept there.
    let syncedAt: Int64
    var wasDelivered: Bool
    /// How often it came back, for whatever reason.
    var returns: Int64 = 0
    /// How often its delivery failed, here and in the queues where it died.
    var failures: Int64

    init(_ message: BrokerMessage, position: UInt64, lane: Int, expiry: Int64?, syncedAt: Int64) {
        self.message = message
        self.position = position
        self.lane = lane
        self.expiry = expiry
        self.syncedAt = syncedAt
        wasDelivered = message.failures > 0
        failures = message.failures
    }

    func isExpired(at time: Int64) -> Bool { expiry.map { $0 <= time } ?? false }
}

/// Entries in the order in which they are handed out: by priority, and within one in the order of their arrival.
struct Backlog {
    /// How priorities share a queue.
    enum Sharing {
        /// The highest goes first. A classic queue, and a quorum queue of RabbitMQ 4.3.
        case strict
        /// Of two lanes, every third turn goes to the older of both heads (quorum queues of RabbitMQ 4.0).
        case twoToOne
    }

    private var lanes: [Lane]
    private let sharing: Sharing
    private(set) var count = 0
    /// Turns taken since the lower lane had its own.
    private var turns = 0

    init(lanes: Int = 1, sharing: Sharing = .strict) {
        self.lanes = Array(repeating: Lane(), count: lanes)
        self.sharing = sharing
    }

    var first: QueueEntry? { nextLane.flatMap { lanes[$0].first } }

    /// The entries, those of the highest priority first.
    var all: [QueueEntry] { lanes.reversed().flatMap(\.all) }

    /// When the first of the next entries of all priorities expires.
    var nextExpiry: Int64? { lanes.reduce(nil) { .earlier($0, $1.first?.expiry) } }

    mutating func append(_ entry: QueueEntry) {
        lanes[entry.lane].append(entry)
        count += 1
    }

    /// Appends to a lane other than the entry's own.
    mutating func append(_ entry: QueueEntry, lane: Int) {
        lanes[lane].append(entry)
        count += 1
    }

    /// Puts an entry back where it stood among the others of its priority.
    mutating func insertByPosition(_ entry: QueueEntry) {
        lanes[entry.lane].insertByPosition(entry)
        count += 1
    }

    mutating func popFirst() -> QueueEntry? {
        guard let lane = nextLane else { return nil }
        turns = turns == 2 ? 0 : turns + 1
        count -= 1
        return lanes[lane].popFirst()
    }

    /// Takes the entries at the head of every lane for which the condition holds, the highest priority first.
    mutating func popHeads(while condition: (QueueEntry) -> Bool) -> [QueueEntry] {
        var taken: [QueueEntry] = []
        for lane in lanes.indices.reversed() {
            while let entry = lanes[lane].first, condition(entry) {
                _ = lanes[lane].popFirst()
                taken.append(entry)
            }
        }
        count -= taken.count
        return taken
    }

    mutating func removeAll(where isGone: (QueueEntry) -> Bool) {
        count = 0
        for index in lanes.indices {
            lanes[index].removeAll(where: isGone)
            count += lanes[index].count
        }
    }

    mutating func removeAll() {
        for lane in lanes.indices { lanes[lane] = Lane() }
        count = 0
        turns = 0
    }

    private var nextLane: Int? {
        guard count > 0, let highest = lanes.lastIndex(where: { $0.count > 0 }) else { return nil }
        guard sharing == .twoToOne, turns == 2, highest > 0,
            let high = lanes[highest].first, let low = lanes[0].first
        else { return highest }
        return high.position < low.position ? highest : 0
    }

    /// Entries of one priority.
    private struct Lane {
        private var entries: [QueueEntry] = []
        private var head = 0

        var count: Int { entries.count - head }
        var first: QueueEntry? { head < entries.count ? entries[head] : nil }
        var all: ArraySlice<QueueEntry> { entries[head...] }

        mutating func append(_ entry: QueueEntry) { entries.append(entry) }

        mutating func insertByPosition(_ entry: QueueEntry) {
            var low = head
            var high = entries.count
            while low < high {
                let middle = (low + high) / 2
                if entries[middle].position < entry.position { low = middle + 1 } else { high = middle }
            }
            entries.insert(entry, at: low)
        }

        mutating func removeAll(where isGone: (QueueEntry) -> Bool) {
            entries = all.filter { !isGone($0) }
            head = 0
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
    }
}
