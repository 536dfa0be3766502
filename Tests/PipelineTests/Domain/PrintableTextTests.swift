import Testing

@testable import Pipeline

@Suite("Printable text")
struct PrintableTextTests {
    @Test(
        "escapes what would break a line or a terminal",
        arguments: [
            ("plain é€😀", "plain é€😀"), ("a\r\nb", "a\\u{d}\\u{a}b"),
            ("\u{0}\u{1B}[0m\u{7F}\u{9B}", "\\u{0}\\u{1b}[0m\\u{7f}\\u{9b}"),
            (
                "\u{2028}\u{2029}\u{202E}\u{2066}\u{FEFF}\u{200B}",
                "\\u{2028}\\u{2029}\\u{202e}\\u{2066}\\u{feff}\\u{200b}"
            ),
        ])
    func escapes(text: String, shown: String) {
        #expect(PrintableText.of(text, limit: 100) == shown)
    }

    @Test("cuts after the limit")
    func limit() {
        #expect(PrintableText.of("abc", limit: 3) == "abc")
        #expect(PrintableText.of("abcd", limit: 3) == "abc…")
        #expect(PrintableText.of("", limit: 0) == "")
    }
}
