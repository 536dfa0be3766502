/// What tracing systems add to a trace, as the `tracestate` header says it (W3C Trace Context, section 3.3).
package struct TraceState: Sendable, Hashable {
    /// As many entries as the standard allows.
    private static let mostEntries = 32
    /// What every hop should carry; of a longer text, entries are left out.
    private static let longestText = 512
    /// Entries longer than this are the first to go.
    private static let longestKeptEntry = 128

    /// The header's value: never empty, at most 512 bytes.
    package let text: String

    /// What a header says, nil where it says nothing or what the standard does not allow.
    package init?(_ text: String) {
        var entries: [Substring] = []
        var keys: Set<Substring> = []
        for part in text.split(separator: ",") {
            let entry = HeaderText.trimmed(part)
            // Empty entries are allowed.
            if entry.isEmpty { continue }
            guard let equals = entry.utf8.firstIndex(of: UInt8(ascii: "=")) else { return nil }
            let (key, value) = (entry[..<equals], entry[entry.utf8.index(after: equals)...])
            guard Self.isKey(key), Self.isValue(value), keys.insert(key).inserted else { return nil }
            entries.append(entry)
        }
        guard entries.count <= Self.mostEntries else { return nil }
        func length() -> Int { entries.reduce(entries.count - 1) { $0 + $1.utf8.count } }
        while length() > Self.longestText {
            let longest = entries.lastIndex { $0.utf8.count > Self.longestKeptEntry }
            entries.remove(at: longest ?? entries.count - 1)
        }
        guard !entries.isEmpty else { return nil }
        self.text = entries.joined(separator: ",")
    }

    /// A lower-case word, or a tenant's word in a system's: `fw529a3039@dt`.
    private static func isKey(_ key: Substring) -> Bool {
        let parts = key.split(separator: "@", omittingEmptySubsequences: false)
        switch parts.count {
        case 1: return isWord(parts[0], longest: 256, mayBeginWithDigit: false)
        case 2:
            return isWord(parts[0], longest: 241, mayBeginWithDigit: true)
                && isWord(parts[1], longest: 14, mayBeginWithDigit: false)
        default: return false
        }
    }

    private static func isWord(_ word: Substring, longest: Int, mayBeginWithDigit: Bool) -> Bool {
        guard let first = word.utf8.first, word.utf8.count <= longest,
            isLetter(first) || mayBeginWithDigit && isDigit(first)
        else { return false }
        return word.utf8.allSatisfy { byte in
            isLetter(byte) || isDigit(byte) || "_-*/".utf8.contains(byte)
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (97...122).contains(byte) }
    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

    /// Printable ASCII but commas and equals signs, with no space at its end.
    private static func isValue(_ value: Substring) -> Bool {
        guard let last = value.utf8.last, last != 0x20, value.utf8.count <= 256 else { return false }
        return value.utf8.allSatisfy { byte in
            (0x20...0x7E).contains(byte) && byte != UInt8(ascii: ",") && byte != UInt8(ascii: "=")
        }
    }
}
