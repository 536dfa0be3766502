/// A name as a broker tells it from others: by its bytes. `==` of `String` also takes canonically equivalent texts for
/// equal.
package struct WireName: Sendable, Hashable, CustomStringConvertible {
    package let text: String

    package init(_ text: String) { self.text = text }

    package var description: String { text }

    package static func == (left: WireName, right: WireName) -> Bool { left.text.hasSameBytes(as: right.text) }

    package func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
    }
}
