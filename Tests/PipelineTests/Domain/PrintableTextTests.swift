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

    @Test("every control and direction character is hazardous, in each kind of text")
    func hazards() throws {
        let hazards: [ClosedRange<UInt32>] = [
            0...0x1F, 0x7F...0x9F, 0x61C...0x61C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069,
        ]
        for scalar in hazards.joined().compactMap(Unicode.Scalar.init) {
            let text = "a\(Character(scalar))b"
            #expect(PrintableText.isHazardous(scalar))
            #expect(PrintableText.of(text, limit: 9) == "a\\u{\(String(scalar.value, radix: 16))}b")
            var json = JSONWriter(capacity: 16, isForTerminal: true)
            json.string(text)
            let bytes = json.bytes
            #expect(bytes.allSatisfy { (0x20..<0x7F).contains($0) }, "\(scalar.value)")
            let list = try JSONReader.read(Array("[".utf8) + bytes + Array("]".utf8))
            guard case .array(var elements) = list, case .string(let read)? = try elements.next() else {
                Issue.record("no list of a string: \(text)")
                continue
            }
            #expect(read == text)
        }
        var json = JSONWriter(capacity: 16, isForTerminal: true)
        json.string("é€😀\"\\/ \u{661}")
        #expect(String(decoding: json.bytes, as: UTF8.self) == "\"é€😀\\\"\\\\/ \u{661}\"")
        for plain in " ~é€😀\u{61B}\u{61D}\u{A0}\u{2010}\u{2070}".unicodeScalars {
            #expect(!PrintableText.isHazardous(plain))
        }
    }

    @Test("cuts after the limit")
    func limit() {
        #expect(PrintableText.of("abc", limit: 3) == "abc")
        #expect(PrintableText.of("abcd", limit: 3) == "abc…")
        #expect(PrintableText.of("", limit: 0) == "")
    }
}
