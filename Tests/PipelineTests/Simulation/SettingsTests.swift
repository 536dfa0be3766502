import Testing

@testable import Pipeline

/// The values that a person gives as flags or in the environment.
@Suite("Settings")
struct SettingsTests {
    private func reason<Value>(_ read: () throws(UnreadableValue) -> Value) -> String? {
        do {
            _ = try read()
            return nil
        } catch {
            return error.reason
        }
    }

    @Test(
        "batch sizes are read",
        arguments: [
            ("1-5", 1, 5), ("3", 3, 3), ("1-1", 1, 1), ("1-10000", 1, 10_000), ("007", 7, 7),
        ] as [(String, Int64, Int64)])
    func batchSize(text: String, first: Int64, last: Int64) throws {
        #expect(try BatchSize(text).range == first...last)
    }

    @Test(
        "batch sizes that make no sense are refused",
        arguments: [
            ("", "is no batch size"), ("-", "is no batch size"), ("1-", "is no batch size"), ("-5", "is no batch size"),
            ("1-2-3", "is no batch size"), ("a-b", "is no batch size"), ("1.5", "is no batch size"),
            ("+1", "is no batch size"),
            ("1 - 5", "is no batch size"), ("1e3", "is no batch size"), ("٣", "is no batch size"),
            ("99999999999999999999", "is no batch size"), ("0", "is out of range"), ("0-5", "is out of range"),
            ("1-10001", "is out of range"), ("10001-1", "is out of range"), ("5-1", "goes from more to less"),
        ])
    func badBatchSize(text: String, words: String) {
        let reason = reason { () throws(UnreadableValue) in try BatchSize(text) }
        #expect(reason?.hasPrefix("\"\(text)\" \(words)") == true)
    }

    @Test(
        "ranges of seconds are read",
        arguments: [
            ("10-20", 10_000, 20_000), ("0.5-2.0", 500, 2000), ("3", 3000, 3000), ("0", 0, 0), ("0.001-0.25", 1, 250),
            ("0-86400", 0, 86_400_000), ("1.0-3", 1000, 3000),
        ] as [(String, Int64, Int64)])
    func secondsRange(text: String, first: Int64, last: Int64) throws {
        #expect(try SecondsRange(text).milliseconds == first...last)
    }

    @Test(
        "ranges of seconds that make no sense are refused",
        arguments: [
            ("", "is no range of seconds"), ("-1", "is no range of seconds"), ("1-", "is no range of seconds"),
            ("-1-5", "is no range of seconds"), ("1..5", "is no range of seconds"), ("1.-5", "is no range of seconds"),
            (".5", "is no range of seconds"), ("0.0001", "is no range of seconds"), ("1s", "is no range of seconds"),
            ("nan", "is no range of seconds"), ("inf", "is no range of seconds"), ("1e3", "is no range of seconds"),
            ("0x10", "is no range of seconds"), ("10\n", "is no range of seconds"), ("86400.001", "is out of range"),
            ("1000000000", "is out of range"), ("1000000001", "is no range of seconds"),
            ("2-1", "goes from more to less"),
        ])
    func badSecondsRange(text: String, words: String) {
        let reason = reason { () throws(UnreadableValue) in try SecondsRange(text) }
        #expect(reason?.hasPrefix("\"\(PrintableText.of(text, limit: 60))\" \(words)") == true)
    }

    @Test(
        "speeds are read",
        arguments: [
            ("1", Speed.real), ("10", .factor(thousandths: 10_000)), ("0.5", .factor(thousandths: 500)),
            ("0.001", .factor(thousandths: 1)), ("1000000", .factor(thousandths: 1_000_000_000)), ("max", .max),
        ])
    func speed(text: String, speed: Speed) throws {
        #expect(try Speed(text) == speed)
    }

    @Test(
        "speeds that make no sense are refused",
        arguments: [
            ("", "is no speed"), ("fast", "is no speed"), ("MAX", "is no speed"), ("-1", "is no speed"),
            ("inf", "is no speed"),
            ("0.0001", "is no speed"), ("0", "is out of range"), ("0.000", "is out of range"),
            ("1000000.001", "is out of range"),
        ])
    func badSpeed(text: String, words: String) {
        let reason = reason { () throws(UnreadableValue) in try Speed(text) }
        #expect(reason?.hasPrefix("\"\(text)\" \(words)") == true)
    }

    @Test(
        "shares are read",
        arguments: [
            ("0.9", 0.9), ("0", 0), ("1", 1), ("1.0", 1), ("0.0", 0), ("0.123456789", 0.123456789),
        ])
    func share(text: String, value: Double) throws {
        #expect(try Share(text).value == value)
    }

    @Test(
        "shares that make no sense are refused",
        arguments: [
            ("", "is no share"), (".", "is no share"), ("90%", "is no share"),
            ("-0.1", "is no share"),
            ("nan", "is no share"), ("inf", "is no share"), ("1e-1", "is no share"),
            ("0x1p-1", "is no share"), ("0,9", "is no share"), ("0.9.1", "is no share"),
            ("1.0001", "is out of range"), ("90", "is out of range"),
        ])
    func badShare(text: String, words: String) {
        let reason = reason { () throws(UnreadableValue) in try Share(text) }
        #expect(reason?.hasPrefix("\"\(text)\" \(words)") == true)
    }

    @Test("defaults are the original's, and every value is read back from its description")
    func descriptions() throws {
        #expect(BatchSize.standard == (try BatchSize("1-5")))
        #expect(SecondsRange.generatorInterval == (try SecondsRange("10-20")))
        #expect(SecondsRange.paymentTime == (try SecondsRange("0.5-2.0")))
        #expect(SecondsRange.fulfillmentTime == (try SecondsRange("1.0-3.0")))
        #expect(Share.successRate == (try Share("0.9")))
        #expect(Speed.real == (try Speed("1")))
        for text in ["1-5", "3"] { #expect(try BatchSize(text).description == text) }
        for text in ["0.5-2", "10-20", "3", "0.001"] { #expect(try SecondsRange(text).description == text) }
        for text in ["max", "1", "0.5", "2.25"] { #expect(try Speed(text).description == text) }
        for text in ["0.9", "1"] { #expect(try Share(text).description == text) }
    }

    @Test("a hostile value is shown on one short line")
    func hostile() {
        let text = String(repeating: "\u{1B}[2J\n", count: 100)
        let reason = reason { () throws(UnreadableValue) in try Speed(text) }
        #expect(reason?.contains("\n") == false)
        #expect(reason?.contains("\u{1B}") == false)
        #expect(reason?.count ?? .max < 400)
    }
}
