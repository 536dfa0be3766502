@testable import Pipeline

/// Random numbers for properties: the same in every run, so that a failure can be seen again.
struct SeededNumbers {
    private var generator: SplitMix64

    init(_ seed: UInt64) {
        generator = SplitMix64(seed: seed)
    }

    mutating func below(_ count: Int) -> Int {
        Int(Fraction(bits: generator.next()).index(below: UInt64(count)))
    }

    mutating func number(in range: ClosedRange<Int64>) -> Int64 {
        Fraction(bits: generator.next()).number(in: range)
    }

    mutating func element<Element>(of elements: [Element]) -> Element {
        elements[below(elements.count)]
    }

    /// As `text`, without control characters.
    mutating func printableText() -> String {
        String(String.UnicodeScalarView(text().unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }))
    }

    /// Text with a fair share of everything that needs care.
    mutating func text() -> String {
        let pieces = [
            "a", "Z", "0", " ", "\"", "\\", "/", "\n", "\r", "\t", "\u{0}", "\u{1F}", "\u{7F}", "é", "€", "😀",
            "\u{FFFD}",
        ]
        return (0..<below(24)).map { _ in element(of: pieces) }.joined()
    }
}
