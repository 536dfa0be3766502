/// A JSON value as it was written.
///
/// Numbers stay text (`JSONNumber`), so that money never passes through binary floating point. An object keeps its
/// members in the order they were written.
package enum JSON: Sendable, Equatable {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(String)
    case array([JSON])
    case object(JSONObject)
}

/// The members of a JSON object, in the order they were written, duplicates included.
package struct JSONObject: Sendable, Equatable {
    package struct Member: Sendable, Equatable {
        package let name: String
        package let value: JSON
    }

    package private(set) var members: [Member] = []

    package init() {
        // What most of our messages have; growing from nothing would copy three times.
        members.reserveCapacity(10)
    }

    package mutating func append(_ name: String, _ value: JSON) {
        members.append(Member(name: name, value: value))
    }

    /// The value under a name, nil where there is none. Of duplicates the last one counts, as it does in most readers,
    /// Python's among them.
    package subscript(name: String) -> JSON? {
        var index = members.count
        while index > 0 {
            index -= 1
            if members[index].name == name { return members[index].value }
        }
        return nil
    }
}
