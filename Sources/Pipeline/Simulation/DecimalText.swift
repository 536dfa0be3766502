/// A plain decimal number as a person writes it on a command line: digits, perhaps a point and more digits.
///
/// Stricter than what the standard library reads: no sign, no exponent, no `inf`, no `nan`, no hexadecimal.
enum DecimalText {
    /// The number in thousandths, nil where the text is no such number, has more than three decimals, or is above
    /// a billion.
    static func thousandths(_ text: some StringProtocol) -> Int64? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let whole = digits(first), whole <= 1_000_000_000 else { return nil }
        guard parts.count == 2 else { return whole * 1000 }
        let decimals = parts[1]
        guard decimals.utf8.count <= 3, var fraction = digits(decimals) else { return nil }
        for _ in decimals.utf8.count..<3 { fraction *= 10 }
        return whole * 1000 + fraction
    }

    /// Digits and nothing else as a number, nil for anything else or more than 18 digits.
    static func digits(_ text: some StringProtocol) -> Int64? {
        guard !text.isEmpty, text.utf8.count <= 18 else { return nil }
        var number: Int64 = 0
        for byte in text.utf8 {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            number = number * 10 + Int64(byte - UInt8(ascii: "0"))
        }
        return number
    }

    /// A number in thousandths as text, without needless zeros.
    static func text(thousandths: Int64) -> String {
        var decimals = String(thousandths % 1000)
        decimals = String(repeating: "0", count: 3 - decimals.utf8.count) + decimals
        while decimals.hasSuffix("0") { decimals.removeLast() }
        return "\(thousandths / 1000)" + (decimals.isEmpty ? "" : "." + decimals)
    }
}
