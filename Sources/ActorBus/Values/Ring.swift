/// A first-in-first-out queue with access by position. It keeps its storage, but for what a rare pile took.
struct Ring<Element> {
    private static var keptCapacity: Int { 16_384 }

    private var storage: ContiguousArray<Element?> = []
    private var head = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    var first: Element? { isEmpty ? nil : storage[head] }

    /// The element at `position` behind the first.
    subscript(position: Int) -> Element {
        get {
            precondition(position >= 0 && position < count)
            return storage[slot(position)]!
        }
        set {
            precondition(position >= 0 && position < count)
            storage[slot(position)] = newValue
        }
    }

    mutating func append(_ element: Element) {
        if count == storage.count { grow() }
        storage[slot(count)] = element
        count += 1
    }

    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = storage[head].take()
        head = (head + 1) & (storage.count - 1)
        count -= 1
        if count == 0 && storage.count > Self.keptCapacity {
            storage = []
            head = 0
        }
        return element
    }

    /// Takes all elements, in order.
    mutating func removeAll() -> [Element] {
        var all: [Element] = []
        all.reserveCapacity(count)
        while let element = popFirst() { all.append(element) }
        return all
    }

    /// The capacity is always a power of two, so that a position is found by masking.
    private func slot(_ position: Int) -> Int { (head + position) & (storage.count - 1) }

    private mutating func grow() {
        var larger = ContiguousArray<Element?>(repeating: nil, count: max(16, storage.count * 2))
        for position in 0..<count { larger[position] = storage[slot(position)] }
        storage = larger
        head = 0
    }
}
