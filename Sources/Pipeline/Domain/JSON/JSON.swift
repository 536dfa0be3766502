/// A JSON value, read as far as it was asked for.
///
/// Numbers stay text (`JSONNumber`), so that money never passes through binary floating point. Lists and objects hold
/// no values, only where they stand: what nobody asks for costs no memory.
package enum JSON: Sendable {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(String)
    case array(JSONArray)
    case object(JSONObject)
}

/// The members of a JSON object, each of which is read when it is asked for.
package struct JSONObject: Sendable {
    /// Where a member stands in the text.
    struct Member: Sendable {
        /// Of its name, without the quotes.
        let name: Range<Int>
        /// The first byte of its value.
        let value: Int
    }

    private let bytes: [UInt8]
    /// In the order in which they were written, duplicates included.
    private let members: [Member]

    init(_ bytes: [UInt8], _ members: [Member]) {
        self.bytes = bytes
        self.members = members
    }

    /// The value under a name, nil where there is none. Of duplicates the last one counts, as it does in most readers,
    /// Python's among them.
    ///
    /// Names are compared byte for byte, once escapes are read: two texts that only look alike are two names.
    package subscript(name: String) -> JSON? {
        get throws(JSONError) {
            for member in members.reversed() where try isNamed(member, name) {
                return try JSONReader.value(in: bytes, at: member.value)
            }
            return nil
        }
    }

    private func isNamed(_ member: Member, _ name: String) throws(JSONError) -> Bool {
        let written = bytes[member.name]
        guard written.contains(UInt8(ascii: "\\")) else { return written.elementsEqual(name.utf8) }
        return try JSONReader.string(in: bytes, at: member.name.lowerBound - 1).utf8.elementsEqual(name.utf8)
    }
}

/// The elements of a JSON list, read one after the other.
package struct JSONArray: Sendable {
    private var reader: JSONReader
    private var isFirst = true

    /// - Parameter reader: stands behind the opening bracket.
    init(_ reader: JSONReader) {
        self.reader = reader
    }

    /// The next element, nil after the last.
    package mutating func next() throws(JSONError) -> JSON? {
        defer { isFirst = false }
        return try reader.element(isFirst: isFirst)
    }
}
