/// Reads one JSON text, as strictly as RFC 8259 has it.
///
/// Small on purpose: the messages are small and fixed, and their reasons for a dead letter are ours to word. Nothing
/// that RFC 8259 refuses is accepted (trailing commas, byte order marks, leading zeros, `NaN`, invalid UTF-8); of what
/// it allows, only nesting deeper than 64 levels is refused. A lone surrogate escape, which the grammar allows
/// and no Unicode text can hold, becomes U+FFFD.
///
/// The whole text is checked first; of its values only the members of the outermost object are noted, by their places.
/// So the memory that a text takes is bounded by its length, whatever it holds.
package struct JSONReader: Sendable {
    package static let deepestNesting = 64

    private let bytes: [UInt8]
    private var at: Int

    private init(_ bytes: [UInt8], at: Int = 0) {
        self.bytes = bytes
        self.at = at
    }

    /// The value that the whole of `bytes` writes.
    package static func read(_ bytes: [UInt8]) throws(JSONError) -> JSON {
        var reader = JSONReader(bytes)
        let value = try reader.value()
        reader.skipWhitespace()
        if reader.at < bytes.count { throw reader.expected("the end of the text") }
        return value
    }

    /// The value that begins at a byte of a text.
    static func value(in bytes: [UInt8], at place: Int) throws(JSONError) -> JSON {
        var reader = JSONReader(bytes, at: place)
        return try reader.value()
    }

    /// The string whose opening quote is a byte of a text.
    static func string(in bytes: [UInt8], at place: Int) throws(JSONError) -> String {
        var reader = JSONReader(bytes, at: place)
        return try reader.string()
    }

    // MARK: Values

    /// Reads a value and steps over it.
    private mutating func value() throws(JSONError) -> JSON {
        skipWhitespace()
        switch next {
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "{"): return .object(try object())
        case UInt8(ascii: "["): return .array(try array())
        case UInt8(ascii: "t"):
            try skipLiteral("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try skipLiteral("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try skipLiteral("null")
            return .null
        default: return .number(try number())
        }
    }

    /// The members' places; their values are checked and not read.
    private mutating func object() throws(JSONError) -> JSONObject {
        var members: [JSONObject.Member] = []
        try skipObject(depth: 1) { name, value in
            // What most of our messages have; growing from nothing would copy three times.
            if members.isEmpty { members.reserveCapacity(10) }
            members.append(JSONObject.Member(name: name, value: value))
        }
        return JSONObject(bytes, members)
    }

    private mutating func array() throws(JSONError) -> JSONArray {
        let inside = JSONReader(bytes, at: at + 1)
        try skipArray(depth: 1)
        return JSONArray(inside)
    }

    /// The next element of the list whose opening bracket or last element has been read; nil after the last.
    mutating func element(isFirst: Bool) throws(JSONError) -> JSON? {
        skipWhitespace()
        if next == UInt8(ascii: "]") { return nil }
        if !isFirst, !take(UInt8(ascii: ",")) { throw expected("\",\" or \"]\"") }
        return try value()
    }

    private mutating func number() throws(JSONError) -> JSONNumber {
        let start = at
        try skipNumber()
        return JSONNumber(checked: String(decoding: bytes[start..<at], as: UTF8.self))
    }

    private mutating func string() throws(JSONError) -> String {
        let start = at + 1
        try skipString()
        let end = at - 1
        guard bytes[start..<end].contains(UInt8(ascii: "\\")) else {
            return String(decoding: bytes[start..<end], as: UTF8.self)
        }
        var text: [UInt8] = []
        text.reserveCapacity(end - start)
        at = start
        while at < end {
            if bytes[at] == UInt8(ascii: "\\") {
                text.append(contentsOf: String(try escapedScalar()).utf8)
            } else {
                text.append(bytes[at])
                at += 1
            }
        }
        at = end + 1
        return String(decoding: text, as: UTF8.self)
    }

    // MARK: Checking

    private mutating func skipValue(depth: Int) throws(JSONError) {
        skipWhitespace()
        switch next {
        case UInt8(ascii: "\""): try skipString()
        case UInt8(ascii: "{"): try skipObject(depth: depth + 1) { _, _ in }
        case UInt8(ascii: "["): try skipArray(depth: depth + 1)
        case UInt8(ascii: "t"): try skipLiteral("true")
        case UInt8(ascii: "f"): try skipLiteral("false")
        case UInt8(ascii: "n"): try skipLiteral("null")
        default: try skipNumber()
        }
    }

    private mutating func skipObject(
        depth: Int, member: (_ name: Range<Int>, _ value: Int) -> Void
    ) throws(JSONError) {
        try enter(depth)
        skipWhitespace()
        if take(UInt8(ascii: "}")) { return }
        while true {
            skipWhitespace()
            guard next == UInt8(ascii: "\"") else { throw expected("a name in double quotes") }
            let start = at + 1
            try skipString()
            let name = start..<(at - 1)
            skipWhitespace()
            guard take(UInt8(ascii: ":")) else { throw expected("\":\"") }
            skipWhitespace()
            member(name, at)
            try skipValue(depth: depth)
            skipWhitespace()
            if take(UInt8(ascii: "}")) { return }
            guard take(UInt8(ascii: ",")) else { throw expected("\",\" or \"}\"") }
        }
    }

    private mutating func skipArray(depth: Int) throws(JSONError) {
        try enter(depth)
        skipWhitespace()
        if take(UInt8(ascii: "]")) { return }
        while true {
            try skipValue(depth: depth)
            skipWhitespace()
            if take(UInt8(ascii: "]")) { return }
            guard take(UInt8(ascii: ",")) else { throw expected("\",\" or \"]\"") }
        }
    }

    /// Steps past the opening bracket. The limit keeps a hostile text from using up the thread's stack.
    private mutating func enter(_ depth: Int) throws(JSONError) {
        if depth > Self.deepestNesting {
            throw JSONError(offset: at, problem: "nested deeper than \(Self.deepestNesting) levels")
        }
        at += 1
    }

    private mutating func skipLiteral(_ word: String) throws(JSONError) {
        for byte in word.utf8 {
            guard take(byte) else { throw expected("\"\(word)\"") }
        }
    }

    private mutating func skipNumber() throws(JSONError) {
        guard let first = next, first == UInt8(ascii: "-") || Self.isDigit(first) else { throw expected("a value") }
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try skipDigits() }
        if take(UInt8(ascii: ".")) { try skipDigits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try skipDigits()
        }
    }

    private mutating func skipDigits() throws(JSONError) {
        let start = at
        while let byte = next, Self.isDigit(byte) { at += 1 }
        if at == start { throw expected("a digit") }
    }

    private mutating func skipString() throws(JSONError) {
        at += 1
        while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "\""):
                at += 1
                return
            case UInt8(ascii: "\\"): _ = try escapedScalar()
            case 0x20..<0x80: at += 1
            default: try skipUnusualCharacter()
            }
        }
        throw expected("the closing quote of a string")
    }

    /// Steps over one character of several bytes, or refuses what stands there.
    private mutating func skipUnusualCharacter() throws(JSONError) {
        if bytes[at] < 0x20 { throw expected("no unescaped control character in a string") }
        guard let length = wellFormedLength() else { throw JSONError(offset: at, problem: "invalid UTF-8") }
        at += length
    }

    /// The length of the UTF-8 sequence here (Unicode, table 3-7), nil where it is not well formed.
    private func wellFormedLength() -> Int? {
        let lead = bytes[at]
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch lead {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xE1...0xEC, 0xEE...0xEF: length = 3
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: return nil
        }
        guard bytes.count - at >= length, second.contains(bytes[at + 1]) else { return nil }
        for offset in 2..<max(2, length) where bytes[at + offset] & 0xC0 != 0x80 { return nil }
        return length
    }

    /// The character of the escape that begins here, of a pair of surrogates where it is one.
    private mutating func escapedScalar() throws(JSONError) -> Unicode.Scalar {
        at += 1
        guard let letter = next else { throw expected("an escaped character") }
        let scalar: Unicode.Scalar
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): scalar = Unicode.Scalar(letter)
        case UInt8(ascii: "b"): scalar = "\u{8}"
        case UInt8(ascii: "f"): scalar = "\u{C}"
        case UInt8(ascii: "n"): scalar = "\n"
        case UInt8(ascii: "r"): scalar = "\r"
        case UInt8(ascii: "t"): scalar = "\t"
        case UInt8(ascii: "u"):
            at += 1
            return try hexadecimalScalar()
        default: throw expected("one of \" \\ / b f n r t u after a backslash")
        }
        at += 1
        return scalar
    }

    /// The character of `\uXXXX`, of which the hexadecimal digits come next, or of a pair of surrogates.
    private mutating func hexadecimalScalar() throws(JSONError) -> Unicode.Scalar {
        let unit = try hexadecimalUnit()
        if let scalar = Unicode.Scalar(unit) { return scalar }
        guard unit < 0xDC00, at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u")
        else { return "\u{FFFD}" }
        let afterHigh = at
        at += 2
        let low = try hexadecimalUnit()
        if low >= 0xDC00, low <= 0xDFFF {
            let code = 0x10000 + (UInt32(unit - 0xD800) << 10) + UInt32(low - 0xDC00)
            return Unicode.Scalar(code) ?? "\u{FFFD}"
        }
        at = afterHigh
        return "\u{FFFD}"
    }

    private mutating func hexadecimalUnit() throws(JSONError) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let digit = next.flatMap(Self.hexadecimalDigit) else {
                throw expected("four hexadecimal digits after \\u")
            }
            unit = unit << 4 | UInt16(digit)
            at += 1
        }
        return unit
    }

    // MARK: Bytes

    private static func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }

    private static func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    private var next: UInt8? {
        at < bytes.count ? bytes[at] : nil
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard at < bytes.count, bytes[at] == byte else { return false }
        at += 1
        return true
    }

    private mutating func skipWhitespace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { at += 1 }
    }

    private func expected(_ what: String) -> JSONError {
        guard let byte = next else { return JSONError(offset: at, problem: "expected \(what), found the end") }
        return JSONError(offset: at, problem: "expected \(what), found \(Self.shown(byte))")
    }

    private static func shown(_ byte: UInt8) -> String {
        if byte > 0x20 && byte < 0x7F { return "\"\(Unicode.Scalar(byte))\"" }
        return "the byte 0x\(byte < 16 ? "0" : "")\(String(byte, radix: 16, uppercase: true))"
    }
}

/// Why a text is no JSON, in words for a person.
package struct JSONError: Error, Equatable, CustomStringConvertible {
    /// How many bytes come before the place of the problem.
    package let offset: Int
    package let problem: String

    package var description: String {
        "not valid JSON at byte \(offset): \(problem)"
    }
}
