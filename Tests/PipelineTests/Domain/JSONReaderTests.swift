import Testing

@testable import Pipeline

@Suite("JSON reader")
struct JSONReaderTests {
    /// A value with everything that is in it. Members are named `m0`, `m1` and so on.
    private indirect enum Whole: Equatable {
        case null
        case bool(Bool)
        case number(String)
        case string(String)
        case array([Whole])
        case object([Whole])

        init(_ json: JSON) throws(JSONError) {
            switch json {
            case .null: self = .null
            case .bool(let value): self = .bool(value)
            case .number(let number): self = .number(number.text)
            case .string(let text): self = .string(text)
            case .array(var array):
                var elements: [Whole] = []
                while let element = try array.next() { elements.append(try Whole(element)) }
                self = .array(elements)
            case .object(let object):
                var members: [Whole] = []
                while let member = try object["m\(members.count)"] { members.append(try Whole(member)) }
                self = .object(members)
            }
        }
    }

    private func read(_ text: String) throws(JSONError) -> Whole {
        try Whole(JSONReader.read(Array(text.utf8)))
    }

    private func problem(_ bytes: [UInt8]) -> JSONError? {
        do {
            _ = try JSONReader.read(bytes)
            return nil
        } catch {
            return error
        }
    }

    @Test("reads every kind of value")
    func values() throws {
        #expect(try read("null") == .null)
        #expect(try read(" true\n") == .bool(true))
        #expect(try read("false") == .bool(false))
        #expect(try read("\t\"x\"\r") == .string("x"))
        #expect(try read("[]") == .array([]))
        #expect(try read("{}") == .object([]))
        #expect(try read(" [ ] ") == .array([]) && read(" { } ") == .object([]))
        #expect(
            try read("[1, [2 , []], {\"m0\" : null , \"m1\":{\"m0\":[3]}},4]")
                == .array([
                    .number("1"), .array([.number("2"), .array([])]),
                    .object([.null, .object([.array([.number("3")])])]), .number("4"),
                ]))
    }

    @Test(
        "keeps numbers as they were written",
        arguments: [
            "0", "-0", "1", "-1", "10", "0.5", "-0.5", "1299.9", "1e5", "1E+5", "1e-5", "1.50e007", "1e999999999",
            "123456789012345678901234567890", "0.10000000000000000000",
        ])
    func numbers(text: String) throws {
        #expect(try read(text) == .number(text))
        #expect(try read("[\(text)]") == .array([.number(text)]))
    }

    @Test("a number of 10,000 digits is a number")
    func longNumber() throws {
        let digits = String(repeating: "9", count: 10_000)
        #expect(try read(digits) == .number(digits))
        #expect(JSONNumber(checked: digits).wholeNumber == nil)
        #expect(JSONNumber(checked: digits).rounded(decimals: 2) == nil)
        #expect(JSONNumber(checked: "0." + digits).rounded(decimals: 2) == 100)
    }

    @Test(
        "a whole number may be written with a point or an exponent",
        arguments: [
            ("6.0", 6), ("1e3", 1000), ("-1E+2", -100), ("6.000e0", 6), ("1200e-2", 12), ("0.5e1", 5), ("-0.0", 0),
            ("0e999999999999", 0), ("0.000", 0), ("9223372036854775807", .max), ("9223372036854775807.000", .max),
            ("-9223372036854775808", .min), ("-9.223372036854775808E18", .min), ("922337203685477580700e-2", .max),
            ("6.5", nil), ("1e-3", nil), ("15e-1", nil), ("0.999999999999999999999999", nil),
            ("1.0000000000000000000000000001", nil), ("9223372036854775808", nil), ("-9223372036854775809", nil),
            ("18446744073709551616", nil), ("1e19", nil), ("-1e19", nil), ("1e999999999", nil), ("1e-999999999", nil),
        ] as [(String, Int64?)])
    func wholeNumbers(text: String, whole: Int64?) {
        #expect(JSONNumber(checked: text).wholeNumber == whole)
    }

    @Test("every whole number is read, wherever its point stands")
    func wholeNumberShifts() {
        var random = SeededNumbers(6)
        for _ in 0..<20_000 {
            let whole = random.number(in: .min ... .max) >> Int64(random.below(64))
            let zeros = random.below(5)
            let shifted = "\(whole)" + String(repeating: "0", count: zeros) + "e-\(zeros)"
            #expect(JSONNumber(checked: "\(whole)").wholeNumber == whole)
            #expect(JSONNumber(checked: shifted).wholeNumber == whole, "\(shifted)")
            #expect(JSONNumber(checked: "\(whole).\(String(repeating: "0", count: zeros))0").wholeNumber == whole)
            #expect(JSONNumber(checked: "\(whole).01").wholeNumber == nil)
        }
    }

    @Test("of duplicate names the last counts")
    func duplicates() throws {
        let text = #"{"a":1,"b":2,"a":3,"\u0061":4,"caf\u00e9":5,"cafe\u0301":6,"a\"":7}"#
        guard case .object(let object) = try JSONReader.read(Array(text.utf8)) else {
            Issue.record("no object")
            return
        }
        func whole(_ name: String) throws -> Whole? {
            try object[name].map { json throws(JSONError) in try Whole(json) }
        }
        #expect(try whole("a") == .number("4") && whole("b") == .number("2") && whole("c") == nil)
        // The same to a reader's eye, and to Swift's own comparison of texts.
        #expect(try whole("caf\u{e9}") == .number("5") && whole("cafe\u{301}") == .number("6"))
        #expect(try whole("a\"") == .number("7") && whole("a\\\"") == nil && whole("") == nil)
    }

    @Test(
        "reads escapes",
        arguments: [
            (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"),
            (#""\u0041\u00e9\u20AC\u0000""#, "Aé€\u{0}"),
            (#""\uD83D\uDE00""#, "😀"),
            (#""\ud800""#, "\u{FFFD}"),
            (#""\udc00x""#, "\u{FFFD}x"),
            (#""\ud800\ud83d\ude00""#, "\u{FFFD}😀"),
            (#""\ud800\n""#, "\u{FFFD}\n"),
            (#""é\n😀""#, "é\n😀"),
        ])
    func escapes(text: String, value: String) throws {
        #expect(try read(text) == .string(value))
    }

    @Test(
        "refuses what RFC 8259 refuses, and says where",
        arguments: [
            ("", 0, "expected a value, found the end"),
            ("  ", 2, "expected a value, found the end"),
            ("\u{FEFF}{}", 0, "expected a value, found the byte 0xEF"),
            ("nul", 3, "expected \"null\", found the end"),
            ("True", 0, "expected a value, found \"T\""),
            ("truE", 3, "expected \"true\", found \"E\""),
            ("NaN", 0, "expected a value, found \"N\""),
            ("-Infinity", 1, "expected a digit, found \"I\""),
            ("Infinity", 0, "expected a value, found \"I\""),
            ("+1", 0, "expected a value, found \"+\""),
            (".5", 0, "expected a value, found \".\""),
            ("1.", 2, "expected a digit, found the end"),
            ("01", 1, "expected the end of the text, found \"1\""),
            ("-01", 2, "expected the end of the text, found \"1\""),
            ("-", 1, "expected a digit, found the end"),
            ("1e", 2, "expected a digit, found the end"),
            ("1e+", 3, "expected a digit, found the end"),
            ("0x10", 1, "expected the end of the text, found \"x\""),
            ("1 2", 2, "expected the end of the text, found \"2\""),
            ("{} x", 3, "expected the end of the text, found \"x\""),
            ("[1,]", 3, "expected a value, found \"]\""),
            ("[,1]", 1, "expected a value, found \",\""),
            ("[1 2]", 3, "expected \",\" or \"]\", found \"2\""),
            ("[1", 2, "expected \",\" or \"]\", found the end"),
            ("{\"a\":1,}", 7, "expected a name in double quotes, found \"}\""),
            ("{a:1}", 1, "expected a name in double quotes, found \"a\""),
            ("{'a':1}", 1, "expected a name in double quotes, found \"'\""),
            ("{\"a\" 1}", 5, "expected \":\", found \"1\""),
            ("{\"a\":}", 5, "expected a value, found \"}\""),
            ("{\"a\":1 \"b\":2}", 7, "expected \",\" or \"}\", found \"\"\""),
            ("{\"a\":1", 6, "expected \",\" or \"}\", found the end"),
            ("// x", 0, "expected a value, found \"/\""),
            ("[1]/**/", 3, "expected the end of the text, found \"/\""),
            ("\"abc", 4, "expected the closing quote of a string, found the end"),
            ("\"abc\\", 5, "expected an escaped character, found the end"),
            ("\"\\x41\"", 2, "expected one of \" \\ / b f n r t u after a backslash, found \"x\""),
            ("\"\\u12\"", 5, "expected four hexadecimal digits after \\u, found \"\"\""),
            ("\"\\ud800\\u00g0\"", 11, "expected four hexadecimal digits after \\u, found \"g\""),
            ("\"a\nb\"", 2, "expected no unescaped control character in a string, found the byte 0x0A"),
            ("\"\\n\tb\"", 3, "expected no unescaped control character in a string, found the byte 0x09"),
            ("\u{A0}1", 0, "expected a value, found the byte 0xC2"),
            ("\u{C}1", 0, "expected a value, found the byte 0x0C"),
        ])
    func refusals(text: String, offset: Int, problem: String) {
        #expect(self.problem(Array(text.utf8)) == JSONError(offset: offset, problem: problem))
    }

    @Test(
        "refuses invalid UTF-8",
        arguments: [
            [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xC2, 0x20], [0xE0, 0x9F, 0xBF], [0xE0, 0xA0],
            [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xE2, 0x82, 0x20], [0xF0, 0x8F, 0xBF, 0xBF], [0xF0, 0x90, 0x80],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xFE], [0xF1, 0x80, 0x80, 0x7F],
        ] as [[UInt8]])
    func invalidUTF8(sequence: [UInt8]) {
        let quote = UInt8(ascii: "\"")
        #expect(problem([quote] + sequence + [quote]) == JSONError(offset: 1, problem: "invalid UTF-8"))
        let escaped = Array("\"\\n".utf8)
        #expect(problem(escaped + sequence + [quote]) == JSONError(offset: 3, problem: "invalid UTF-8"))
        #expect(problem([quote] + sequence) != nil)
    }

    @Test("accepts Unicode scalars of every kind, as it is and escaped")
    func scalars() throws {
        var refused: [UInt32] = []
        // All of the lower planes' beginnings and of the edges of lengths and surrogates; a sample of the rest.
        let values =
            Array(UInt32(0x20)...0x3000) + Array(0xD700...0xE100) + Array(0xFF00...0x10100)
            + Array(stride(from: 0x3001, through: 0x10FFFF, by: 61)) + Array(0x10FF00...0x10FFFF)
        for value in values {
            guard let scalar = Unicode.Scalar(value), scalar != "\"", scalar != "\\" else { continue }
            let text = String(scalar)
            let escaped = text.utf16.map { unit in
                let digits = String(unit, radix: 16)
                return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }.joined()
            // Scalar by scalar: equal texts may still be written otherwise.
            if case .string(let plain)? = try? read("\"" + text + "\""), plain.utf8.elementsEqual(text.utf8),
                case .string(let read)? = try? read("\"" + escaped + "\""), read.utf8.elementsEqual(text.utf8)
            {
                continue
            }
            refused.append(value)
        }
        #expect(refused.isEmpty)
    }

    @Test("nesting is bounded, however deep the text goes")
    func nesting() throws {
        func nested(_ depth: Int) -> [UInt8] {
            Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
        }
        #expect(problem(nested(64)) == nil)
        #expect(problem(nested(65)) == JSONError(offset: 64, problem: "nested deeper than 64 levels"))
        #expect(problem(nested(100_000)) == JSONError(offset: 64, problem: "nested deeper than 64 levels"))
        let objects = String(repeating: "{\"a\":", count: 100_000)
        #expect(problem(Array(objects.utf8)) == JSONError(offset: 320, problem: "nested deeper than 64 levels"))
    }

    @Test("reads back what JSONWriter writes")
    func roundTrip() throws {
        var random = SeededNumbers(1)
        for _ in 0..<5000 {
            let value = Self.randomValue(&random, depth: 0)
            var writer = JSONWriter(capacity: 16)
            Self.write(value, to: &writer)
            #expect(try Whole(JSONReader.read(writer.bytes)) == value)
        }
    }

    @Test("no damage to a text ever traps, and each cut-off text is refused")
    func damage() {
        let text = Array(#"{"a":[1.5e3,"x\u00e9\ud83d\ude00é",true,null,{"b":-0.1}],"c":"\n"}"#.utf8)
        for length in 0..<text.count { #expect(problem(Array(text[0..<length])) != nil) }
        var random = SeededNumbers(2)
        var accepted = 0
        for _ in 0..<50_000 {
            var damaged = text
            for _ in 0...random.below(3) {
                let place = random.below(damaged.count)
                switch random.below(3) {
                case 0: damaged[place] = UInt8(random.below(256))
                case 1: damaged.remove(at: place)
                default: damaged.insert(random.element(of: text), at: place)
                }
            }
            guard let error = problem(damaged) else {
                accepted += 1
                continue
            }
            #expect(error.offset >= 0 && error.offset <= damaged.count)
        }
        #expect(accepted > 0)
    }

    private static func randomValue(_ random: inout SeededNumbers, depth: Int) -> Whole {
        switch random.below(depth > 4 ? 4 : 6) {
        case 0: return .null
        case 1: return .number(String(random.number(in: .min ... .max)))
        case 2, 3: return .string(random.text())
        case 4: return .array((0..<random.below(5)).map { _ in randomValue(&random, depth: depth + 1) })
        default: return .object((0..<random.below(5)).map { _ in randomValue(&random, depth: depth + 1) })
        }
    }

    private static func write(_ value: Whole, to writer: inout JSONWriter) {
        switch value {
        case .null, .bool: writer.null()
        case .number(let text): writer.number(text: text)
        case .string(let text): writer.string(text)
        case .array(let elements):
            writer.beginArray()
            for element in elements { write(element, to: &writer) }
            writer.endArray()
        case .object(let members):
            writer.beginObject()
            for (place, member) in members.enumerated() {
                writer.member("m\(place)")
                write(member, to: &writer)
            }
            writer.endObject()
        }
    }
}

@Suite("JSON writer")
struct JSONWriterTests {
    @Test(
        "writes hundredths with no more decimals than needed",
        arguments: [
            (0, "0"), (1, "0.01"), (10, "0.1"), (99, "0.99"), (100, "1"), (129_990, "1299.9"), (129_999, "1299.99"),
            (130_000, "1300"), (-1, "-0.01"), (-150, "-1.5"), (Int64.max, "92233720368547758.07"),
            (Int64.min, "-92233720368547758.08"),
        ] as [(Int64, String)])
    func hundredths(number: Int64, text: String) {
        var writer = JSONWriter(capacity: 16)
        writer.hundredths(number)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == text)
    }

    @Test("escapes what must be escaped, and nothing else")
    func escapes() {
        var writer = JSONWriter(capacity: 16)
        writer.string("a\"b\\c/\n\r\t\u{0}\u{1f}\u{7f}é")
        #expect(String(decoding: writer.bytes, as: UTF8.self) == #""a\"b\\c/\n\r\t\u0000\u001f\#u{7f}é""#)
    }
}
