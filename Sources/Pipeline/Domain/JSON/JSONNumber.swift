/// A JSON number: its source text, which only `JSONReader` makes and so always follows RFC 8259's grammar.
package struct JSONNumber: Sendable, Equatable {
    package let text: String

    init(checked text: String) {
        self.text = text
    }

    /// The whole number this text writes, nil for a fraction, an exponent, or what 64 bits do not hold.
    package var wholeNumber: Int64? {
        Int64(text)
    }

    /// This number in hundredths, rounded half away from zero, worked out on the decimal digits alone.
    package var hundredths: Hundredths {
        let shape = Shape(text.utf8)
        guard shape.significantDigits > 0 else { return Hundredths(isNegative: false, magnitude: 0) }
        // The value is the significant digits times 10 to the power of (exponent - fraction digits).
        let kept = shape.significantDigits + shape.exponent - shape.fractionDigits + 2
        guard kept <= 18 else { return Hundredths(isNegative: shape.isNegative, magnitude: nil) }
        guard kept >= 0 else { return Hundredths(isNegative: shape.isNegative, magnitude: 0) }
        return Hundredths(isNegative: shape.isNegative, magnitude: leadingDigits(kept))
    }

    /// The first `count` significant digits as a number, padded with zeros, rounded by the digit after them.
    private func leadingDigits(_ count: Int) -> Int64 {
        var magnitude: Int64 = 0
        var taken = 0
        for byte in text.utf8 {
            guard let digit = Self.digit(byte) else {
                if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") { break }
                continue
            }
            if taken == 0 && digit == 0 && magnitude == 0 { continue }
            if taken == count { return digit >= 5 ? magnitude + 1 : magnitude }
            magnitude = magnitude * 10 + digit
            taken += 1
        }
        while taken < count {
            magnitude *= 10
            taken += 1
        }
        return magnitude
    }

    private static func digit(_ byte: UInt8) -> Int64? {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") ? Int64(byte - UInt8(ascii: "0")) : nil
    }

    /// What the text consists of. `significantDigits` leaves leading zeros out and is 0 for zero.
    private struct Shape {
        var isNegative = false
        var significantDigits = 0
        var fractionDigits = 0
        var exponent = 0

        init(_ text: String.UTF8View) {
            var inFraction = false
            var inExponent = false
            var exponentIsNegative = false
            for byte in text {
                switch byte {
                case UInt8(ascii: "-"):
                    if inExponent { exponentIsNegative = true } else { isNegative = true }
                case UInt8(ascii: "."): inFraction = true
                case UInt8(ascii: "e"), UInt8(ascii: "E"): inExponent = true
                case UInt8(ascii: "+"): break
                default:
                    let digit = Int(byte - UInt8(ascii: "0"))
                    if inExponent {
                        // Held at a billion: beyond any text's length, and within 32 bits whatever is added to it.
                        exponent = exponent >= 100_000_000 ? 1_000_000_000 : exponent * 10 + digit
                    } else {
                        if digit != 0 || significantDigits > 0 { significantDigits += 1 }
                        if inFraction { fractionDigits += 1 }
                    }
                }
            }
            if exponentIsNegative { exponent = -exponent }
        }
    }
}

/// A number read to two decimals.
package struct Hundredths: Sendable, Equatable {
    /// True only for a number below zero; `-0` is not.
    package let isNegative: Bool
    /// The size in hundredths, nil where it is 10^18 or more.
    package let magnitude: Int64?
}
