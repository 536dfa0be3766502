/// A setting whose text cannot be read or is out of range.
package struct UnreadableValue: Error, Equatable, CustomStringConvertible {
    /// What was found, what was expected, and an example; without the setting's name, which the caller knows.
    package let reason: String

    init(_ found: String, _ expectation: String) {
        reason = "\"\(PrintableText.of(found, limit: 60))\" \(expectation)"
    }

    package var description: String { reason }
}
