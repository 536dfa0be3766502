/// How many orders the generator makes at once: a range, as in `1-5`, or one number.
package struct BatchSize: Sendable, Equatable, CustomStringConvertible {
    package let range: ClosedRange<Int64>

    /// 1 to 5, as the original has it.
    package static let standard = BatchSize(unchecked: 1...5)

    private init(unchecked range: ClosedRange<Int64>) {
        self.range = range
    }

    /// Reads `1-5` or `3`; each number from 1 to 10,000, the first no greater than the second.
    package init(_ text: String) throws(UnreadableValue) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count <= 2, let first = parts.first.flatMap({ DecimalText.digits($0) }),
            let last = parts.last.flatMap({ DecimalText.digits($0) })
        else { throw UnreadableValue(text, "is no batch size; write whole numbers, as in 1-5 or 3") }
        guard first >= 1, last <= 10_000, first <= 10_000 else {
            throw UnreadableValue(text, "is out of range: a batch has 1 to 10000 orders")
        }
        guard first <= last else {
            throw UnreadableValue(text, "goes from more to less; write the smaller number first")
        }
        range = first...last
    }

    /// A size drawn from the range.
    package func draw(using generator: inout some RandomNumberGenerator) -> Int {
        Int(Fraction(bits: generator.next()).number(in: range))
    }

    package var description: String {
        range.lowerBound == range.upperBound ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)"
    }
}
