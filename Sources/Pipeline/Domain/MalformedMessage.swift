/// A message that no repetition will make readable: it belongs in the dead-letter queue.
package struct MalformedMessage: Error, Equatable, CustomStringConvertible {
    /// One line for a person: which field, what was expected, what was found. What a stranger wrote appears in it
    /// only escaped and cut.
    package let reason: String

    package init(_ reason: String) {
        self.reason = reason
    }

    package var description: String { reason }
}
