/// A share of something, from 0 (none) to 1 (all).
package struct Share: Sendable, Equatable, CustomStringConvertible {
    package let value: Double
    private let text: String

    package static let none = Share(unchecked: 0, "0")
    /// Of the payments that succeed: 0.9, as the original has it.
    package static let successRate = Share(unchecked: 0.9, "0.9")

    private init(unchecked value: Double, _ text: String) {
        self.value = value
        self.text = text
    }

    /// Reads a plain decimal number from 0 to 1.
    package init(_ text: String) throws(UnreadableValue) {
        // Double alone would read inf, nan, signs and hexadecimal as well.
        let isPlain = text.utf8.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x2E }
        guard isPlain, let value = Double(text) else {
            throw UnreadableValue(text, "is no share; write a number from 0 to 1, as in 0.9")
        }
        guard value <= 1 else {
            throw UnreadableValue(text, "is out of range: a share goes from 0 (none) to 1 (all), as in 0.9")
        }
        self.init(unchecked: value, text)
    }

    package var description: String { text }

    package static func == (left: Share, right: Share) -> Bool {
        left.value == right.value
    }
}
