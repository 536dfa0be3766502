/// The share of payments that succeed, from 0 (none) to 1 (all).
package struct SuccessRate: Sendable, Equatable, CustomStringConvertible {
    package let value: Double
    private let text: String

    /// 0.9, as the original has it.
    package static let standard = SuccessRate(unchecked: 0.9, "0.9")

    private init(unchecked value: Double, _ text: String) {
        self.value = value
        self.text = text
    }

    /// Reads a plain decimal number from 0 to 1.
    package init(_ text: String) throws(UnreadableValue) {
        // Double alone would read inf, nan, signs and hexadecimal as well.
        let isPlain = text.utf8.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x2E }
        guard isPlain, let value = Double(text) else {
            throw UnreadableValue(text, "is no success rate; write a number from 0 to 1, as in 0.9")
        }
        guard value <= 1 else {
            throw UnreadableValue(text, "is out of range: a success rate goes from 0 (none) to 1 (all), as in 0.9")
        }
        self.init(unchecked: value, text)
    }

    package var description: String { text }

    package static func == (left: SuccessRate, right: SuccessRate) -> Bool {
        left.value == right.value
    }
}
