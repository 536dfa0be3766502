/// Writes JSON text, compactly and in the order of the calls.
///
/// The caller keeps the brackets balanced; every message's `encoded()` is tested against `JSONReader`.
package struct JSONWriter {
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false
    private let isForTerminal: Bool

    /// - Parameter isForTerminal: whether a person may read the text as it is, so that what ``PrintableText`` calls
    ///   hazardous is escaped beside what JSON asks for.
    package init(capacity: Int, isForTerminal: Bool = false) {
        self.isForTerminal = isForTerminal
        bytes.reserveCapacity(capacity)
    }

    package mutating func beginObject() { open(UInt8(ascii: "{")) }
    package mutating func endObject() { close(UInt8(ascii: "}")) }
    package mutating func beginArray() { open(UInt8(ascii: "[")) }
    package mutating func endArray() { close(UInt8(ascii: "]")) }

    /// The name of the member that the next call writes the value of: plain ASCII with nothing to escape.
    package mutating func name(_ name: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        name.withUTF8Buffer { unsafe bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// As ``name(_:)``, for a name of any characters.
    package mutating func member(_ name: String) {
        string(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    package mutating func string(_ text: String) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        if isForTerminal {
            for scalar in text.unicodeScalars { printable(scalar) }
        } else if text.utf8.contains(where: Self.mustBeEscaped) {
            for byte in text.utf8 {
                if Self.mustBeEscaped(byte) { escape(byte) } else { bytes.append(byte) }
            }
        } else {
            bytes.append(contentsOf: text.utf8)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// A string, or `null` for nil.
    package mutating func string(_ text: String?) {
        if let text { string(text) } else { null() }
    }

    package mutating func whole(_ number: UInt64) {
        separate()
        bytes.append(contentsOf: String(number).utf8)
    }

    /// A number by its text, which the caller has seen to be one of RFC 8259's.
    package mutating func number(text: String) {
        separate()
        bytes.append(contentsOf: text.utf8)
    }

    package mutating func whole(_ number: Int64) {
        separate()
        bytes.append(contentsOf: String(number).utf8)
    }

    /// A number given in hundredths, with no more decimals than it needs: 129990 gives `1299.9`.
    package mutating func hundredths(_ number: Int64) {
        separate()
        if number < 0 { bytes.append(UInt8(ascii: "-")) }
        let (whole, rest) = number.magnitude.quotientAndRemainder(dividingBy: 100)
        bytes.append(contentsOf: String(whole).utf8)
        if rest == 0 { return }
        bytes.append(UInt8(ascii: "."))
        bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest / 10))
        if rest % 10 != 0 { bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)) }
    }

    package mutating func bool(_ value: Bool) {
        separate()
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    package mutating func null() {
        separate()
        bytes.append(contentsOf: "null".utf8)
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private static func mustBeEscaped(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private mutating func printable(_ scalar: Unicode.Scalar) {
        if scalar.isASCII, let byte = UInt8(exactly: scalar.value), byte != 0x7F {
            if Self.mustBeEscaped(byte) { escape(byte) } else { bytes.append(byte) }
        } else if PrintableText.isHazardous(scalar) {
            let digits = String(scalar.value, radix: 16).utf8
            bytes.append(contentsOf: "\\u".utf8)
            for _ in digits.count..<4 { bytes.append(UInt8(ascii: "0")) }
            bytes.append(contentsOf: digits)
        } else {
            bytes.append(contentsOf: String(scalar).utf8)
        }
    }

    private mutating func escape(_ byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        default:
            bytes.append(contentsOf: byte < 16 ? "u000".utf8 : "u00".utf8)
            bytes.append(contentsOf: String(byte, radix: 16).utf8)
        }
    }
}
