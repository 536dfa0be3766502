/// Members by number, in the order of their numbers. What a turn of the loop does then has the same order in every run,
/// where that of a dictionary is another each time. Pure.
struct Roster<Number: Comparable, Member> {
    private var numbers: [Number] = []
    private(set) var values: [Member] = []

    var isEmpty: Bool { values.isEmpty }
    var count: Int { values.count }

    subscript(number: Number) -> Member? {
        get {
            let position = position(of: number)
            return position < numbers.count && numbers[position] == number ? values[position] : nil
        }
        set {
            let position = position(of: number)
            let isKnown = position < numbers.count && numbers[position] == number
            switch newValue {
            case let member? where isKnown: values[position] = member
            case let member?:
                numbers.insert(number, at: position)
                values.insert(member, at: position)
            case nil where isKnown:
                numbers.remove(at: position)
                values.remove(at: position)
            case nil: break
            }
        }
    }

    /// The first position whose number is not below `number`.
    private func position(of number: Number) -> Int {
        // Nearly all are few, and what comes is the latest.
        if numbers.last.map({ $0 < number }) ?? true { return numbers.count }
        var (low, high) = (0, numbers.count)
        while low < high {
            let middle = low + (high - low) / 2
            if numbers[middle] < number { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension Roster: Sequence {
    func makeIterator() -> Zip2Sequence<[Number], [Member]>.Iterator { zip(numbers, values).makeIterator() }
}
