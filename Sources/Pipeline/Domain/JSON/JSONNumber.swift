/// A JSON number: its source text, which only `JSONReader` makes and so always follows RFC 8259's grammar.
package struct JSONNumber: Sendable, Equatable {
    package let text: String

    init(checked text: String) {
        self.text = text
    }

    /// The whole number that this text writes, also as `6.0` or `1e3`; nil for a fraction, or what 64 bits do not hold.
    package var wholeNumber: Int64? {
        guard let units = units(decimals: 0), units.isExact else { return nil }
        return units.signed
    }

    /// This number in units of 10^-`decimals`, rounded half away from zero; nil where 64 bits do not hold it.
    package func rounded(decimals: Int) -> Int64? {
        guard var units = units(decimals: decimals) else { return nil }
        if units.nextDigit >= 5 {
            let (rounded, overflow) = units.magnitude.addingReportingOverflow(1)
            if overflow { return nil }
            units.magnitude = rounded
        }
        return units.signed
    }

    /// This number in units of 10^-`decimals`, cut towards zero, worked out on the decimal digits alone; nil where 64
    /// bits do not hold it.
    package func units(decimals: Int) -> Units? {
        let shape = Shape(text.utf8)
        var units = Units(isNegative: shape.isNegative && shape.significantDigits > 0)
        // The value is the significant digits times 10 to the power of (exponent - fraction digits).
        let kept = shape.significantDigits + shape.exponent - shape.fractionDigits + decimals
        if shape.significantDigits == 0 { return units }
        // 2^64 has 20 digits.
        if kept > 20 { return nil }
        var taken = 0
        for byte in text.utf8 {
            guard let digit = Self.digit(byte) else {
                if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") { break }
                continue
            }
            // Leading zeros are not significant.
            if taken == 0 && digit == 0 && units.isExact { continue }
            if taken < kept {
                guard units.append(digit) else { return nil }
            } else {
                if taken == kept { units.nextDigit = digit }
                if digit != 0 { units.isExact = false }
            }
            taken += 1
        }
        while taken < kept {
            guard units.append(0) else { return nil }
            taken += 1
        }
        return units
    }

    /// A number in units of some power of ten, cut towards zero.
    package struct Units: Sendable, Equatable {
        /// True only for a number below zero; `-0` is not.
        package let isNegative: Bool
        package fileprivate(set) var magnitude: UInt64 = 0
        /// Whether nothing was cut off.
        package fileprivate(set) var isExact = true
        /// The first digit that was cut off.
        fileprivate var nextDigit: UInt8 = 0

        fileprivate init(isNegative: Bool) {
            self.isNegative = isNegative
        }

        /// With its sign; nil where 64 bits do not hold it.
        package var signed: Int64? {
            guard isNegative else { return Int64(exactly: magnitude) }
            return magnitude <= Int64.min.magnitude ? Int64(truncatingIfNeeded: 0 &- magnitude) : nil
        }

        /// Adds a digit at the end; false where there is no room for it.
        fileprivate mutating func append(_ digit: UInt8) -> Bool {
            let (shifted, isTooLarge) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, overflow) = shifted.addingReportingOverflow(UInt64(digit))
            magnitude = sum
            return !isTooLarge && !overflow
        }
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") ? byte - UInt8(ascii: "0") : nil
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
