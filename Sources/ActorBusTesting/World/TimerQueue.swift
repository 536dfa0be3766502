internal import ActorBus

/// What is to happen at a time, in the order of times, and of one time in the order in which it was asked for.
struct TimerQueue {
    struct Entry {
        let moment: Instant
        let number: UInt64
        let action: () -> Void
    }

    /// A binary heap, the next at the root.
    private var heap: [Entry] = []
    private var count: UInt64 = 0
    /// Those that are called off, and still lie in the heap.
    private var cancelled: Set<UInt64> = []

    var isEmpty: Bool { heap.count == cancelled.count }
    var pending: Int { heap.count - cancelled.count }

    mutating func add(at moment: Instant, _ action: @escaping () -> Void) -> UInt64 {
        count += 1
        heap.append(Entry(moment: moment, number: count, action: action))
        var child = heap.count - 1
        while child > 0, Self.isBefore(heap[child], heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
        return count
    }

    /// Calls off one that has not happened; to be called once, and not for one that has.
    mutating func cancel(_ number: UInt64) { cancelled.insert(number) }

    var next: Instant? {
        mutating get {
            while let first = heap.first, cancelled.remove(first.number) != nil { _ = popRoot() }
            return heap.first?.moment
        }
    }

    /// The next that is due.
    mutating func takeDue(at now: Instant) -> Entry? {
        guard let next, next <= now else { return nil }
        return popRoot()
    }

    private mutating func popRoot() -> Entry {
        heap.swapAt(0, heap.count - 1)
        let root = heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if Self.isBefore(heap[child], heap[least]) { least = child }
            }
            if least == parent { return root }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    private static func isBefore(_ left: Entry, _ right: Entry) -> Bool {
        (left.moment.nanoseconds, left.number) < (right.moment.nanoseconds, right.number)
    }
}
