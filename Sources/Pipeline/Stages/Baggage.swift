/// What an application lets travel with a trace, as the `baggage` header says it (W3C Baggage, section 3).
package struct Baggage: Sendable, Hashable {
    /// What every hop has to carry; of more, the last members are left out.
    private static let mostMembers = 64
    private static let longestText = 8192

    /// The header's value: never empty, at most 8,192 bytes.
    package let text: String

    /// What a header says, nil where it says nothing or what the standard does not allow.
    package init?(_ text: String) {
        var members: [Substring] = []
        var length = -1
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let member = HeaderText.trimmed(part)
            guard Self.isMember(member) else { return nil }
            length += 1 + member.utf8.count
            if members.count < Self.mostMembers, length <= Self.longestText { members.append(member) }
        }
        guard !members.isEmpty else { return nil }
        self.text = members.joined(separator: ",")
    }

    /// `key=value`, and properties behind semicolons, with or without a value.
    private static func isMember(_ member: Substring) -> Bool {
        var parts = member.split(separator: ";", omittingEmptySubsequences: false)[...]
        guard let first = parts.popFirst(), isPair(first) else { return false }
        return parts.allSatisfy { isPair($0) || HeaderText.isToken(HeaderText.trimmed($0)) }
    }

    private static func isPair(_ text: Substring) -> Bool {
        guard let equals = text.utf8.firstIndex(of: UInt8(ascii: "=")) else { return false }
        let value = HeaderText.trimmed(text[text.utf8.index(after: equals)...])
        return HeaderText.isToken(HeaderText.trimmed(text[..<equals])) && value.utf8.allSatisfy(isValueByte)
    }

    /// Printable ASCII but the space, quotes, commas, semicolons and backslashes, which are percent-encoded.
    private static func isValueByte(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && !"\",;\\".utf8.contains(byte)
    }
}
