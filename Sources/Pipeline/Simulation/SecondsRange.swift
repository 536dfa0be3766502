/// A simulated wait: a range of seconds, as in `0.5-2.0`, or one number; kept in milliseconds.
package struct SecondsRange: Sendable, Equatable, CustomStringConvertible {
    package let milliseconds: ClosedRange<Int64>

    /// Between two batches of orders: 10 to 20 s, as the original has it.
    package static let generatorInterval = SecondsRange(unchecked: 10_000...20_000)
    /// For a payment: 0.5 to 2.0 s, as the original has it.
    package static let paymentTime = SecondsRange(unchecked: 500...2000)
    /// For a shipment: 1.0 to 3.0 s, as the original has it.
    package static let fulfillmentTime = SecondsRange(unchecked: 1000...3000)

    private init(unchecked milliseconds: ClosedRange<Int64>) {
        self.milliseconds = milliseconds
    }

    /// Reads `0.5-2.0` or `3`: seconds with at most three decimals, from 0 to 86400, the first no greater than the
    /// second.
    package init(_ text: String) throws(UnreadableValue) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count <= 2, let first = parts.first.flatMap({ DecimalText.thousandths($0) }),
            let last = parts.last.flatMap({ DecimalText.thousandths($0) })
        else {
            throw UnreadableValue(
                text, "is no range of seconds; write numbers with at most three decimals, as in 0.5-2.0 or 3")
        }
        guard first <= 86_400_000, last <= 86_400_000 else {
            throw UnreadableValue(text, "is out of range: a wait has at most 86400 seconds, a day")
        }
        guard first <= last else {
            throw UnreadableValue(text, "goes from more to less; write the smaller number first")
        }
        milliseconds = first...last
    }

    package var description: String {
        let first = DecimalText.text(thousandths: milliseconds.lowerBound)
        let last = DecimalText.text(thousandths: milliseconds.upperBound)
        return first == last ? first : "\(first)-\(last)"
    }
}
