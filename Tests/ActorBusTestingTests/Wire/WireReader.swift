/// Reads AMQP's values, without the library's codec. What is cut off reads as zeros and ends the reading.
struct WireReader {
    private var bytes: ArraySlice<UInt8>

    init(_ bytes: some Collection<UInt8>) { self.bytes = ArraySlice(Array(bytes)) }

    var isAtEnd: Bool { bytes.isEmpty }

    mutating func take(_ count: Int) -> [UInt8] {
        let taken = Array(bytes.prefix(count))
        bytes = bytes.dropFirst(count)
        return taken
    }

    mutating func number(_ size: Int) -> UInt64 { take(size).reduce(0) { $0 << 8 | UInt64($1) } }
    mutating func u16() -> UInt16 { UInt16(number(2)) }
    mutating func short() -> String { String(decoding: take(Int(number(1))), as: UTF8.self) }
    mutating func long() -> [UInt8] { take(Int(number(4))) }

    /// A table as text, its keys in order, with every value's type letter.
    mutating func table() -> String {
        var reader = WireReader(long())
        var entries: [(String, String)] = []
        while !reader.isAtEnd { entries.append((reader.short(), reader.value())) }
        return "{" + entries.sorted { $0.0 < $1.0 }.map { "\($0)=\($1)" }.joined(separator: " ") + "}"
    }

    private mutating func value() -> String {
        let letter = UInt8(number(1))
        let name = String(UnicodeScalar(letter))
        switch name {
        case "S", "x": return "\(name)'\(String(decoding: long(), as: UTF8.self))'"
        case "F": return table()
        case "A":
            var reader = WireReader(long())
            var values: [String] = []
            while !reader.isAtEnd { values.append(reader.value()) }
            return "[" + values.joined(separator: " ") + "]"
        case "t", "b", "B": return "\(name)\(number(1))"
        case "s", "u": return "\(name)\(number(2))"
        case "I", "i", "f": return "\(name)\(number(4))"
        case "D": return "\(name)\(take(5))"
        // When something happened is never the same twice.
        case "T":
            _ = number(8)
            return "T"
        case "V": return "V"
        default: return "\(name)\(Int64(bitPattern: number(8)))"
        }
    }

    /// A property list as text.
    mutating func properties() -> String {
        let flags = number(2)
        var parts: [String] = []
        let names = [
            "contentType", "contentEncoding", "headers", "deliveryMode", "priority", "correlationID", "replyTo",
            "expiration", "messageID", "timestamp", "type", "userID", "appID",
        ]
        for (index, name) in names.enumerated() where flags & 1 << UInt64(15 - index) != 0 {
            switch name {
            case "headers": parts.append("headers=" + table())
            case "deliveryMode", "priority": parts.append("\(name)=\(number(1))")
            case "timestamp": parts.append("\(name)=\(number(8))")
            default: parts.append("\(name)='\(short())'")
            }
        }
        return parts.joined(separator: " ")
    }
}
