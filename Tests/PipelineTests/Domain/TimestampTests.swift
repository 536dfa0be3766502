import Testing

@testable import Pipeline

@Suite("Timestamp")
struct TimestampTests {
    @Test(
        "reads RFC 3339",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2026-01-07T10:30:00Z", 1_767_781_800_000),
            ("2026-01-07t10:30:00z", 1_767_781_800_000), ("2026-01-07 10:30:00Z", 1_767_781_800_000),
            ("2026-01-07T11:30:00+01:00", 1_767_781_800_000), ("2026-01-07T05:00:00-05:30", 1_767_781_800_000),
            ("2026-01-07T10:30:00-00:00", 1_767_781_800_000), ("2026-01-07T10:30:00.5Z", 1_767_781_800_500),
            ("2026-01-07T10:30:00.123456Z", 1_767_781_800_123),
            ("2026-01-07T10:30:00.000999999999999999999+00:00", 1_767_781_800_000),
            ("1969-12-31T23:59:59.001Z", -999), ("1900-02-28T23:59:59Z", -2_203_891_201_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000), ("2024-02-29T12:00:00Z", 1_709_208_000_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000), ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
            ("2016-12-31T23:59:60Z", 1_483_228_799_000), ("2017-01-01T00:59:60.25+01:00", 1_483_228_799_250),
            ("9999-12-31T23:59:60Z", 253_402_300_799_000),
        ] as [(String, Int64)])
    func reading(text: String, milliseconds: Int64) {
        #expect(Timestamp(text)?.milliseconds == milliseconds)
    }

    @Test(
        "reads nothing else",
        arguments: [
            "", "now", "2026-01-07", "2026-01-07T10:30Z", "2026-01-07T10:30:00", "2026-1-7T10:30:00Z",
            "2026-01-07T10:30:00 Z",
            " 2026-01-07T10:30:00Z", "2026-01-07T10:30:00Z ", "2026-00-07T10:30:00Z", "2026-13-07T10:30:00Z",
            "2026-01-00T10:30:00Z", "2026-01-32T10:30:00Z", "2026-04-31T10:30:00Z", "2026-02-29T10:30:00Z",
            "1900-02-29T10:30:00Z", "2026-01-07T24:00:00Z", "2026-01-07T10:60:00Z", "2026-01-07T10:30:61Z",
            "2026-01-07T10:30:60Z", "2016-12-31T23:59:60+01:00", "2026-01-07T10:30:00.Z", "2026-01-07T10:30:00,5Z",
            "2026-01-07T10:30:00+24:00", "2026-01-07T10:30:00+01:60", "2026-01-07T10:30:00+0100",
            "2026-01-07T10:30:00+1:00",
            "2026-01-07T10:30:00ZZ", "-026-01-07T10:30:00Z", "+2026-01-07T10:30:00Z", "20260107T103000Z", "1767781800",
            "٢٠٢٦-01-07T10:30:00Z", "2026-01-07T10:30:00\u{0}Z", "0000-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "2026-01-07_10:30:00Z", "2026-W02-3T10:30:00Z",
        ])
    func refusals(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test("days from 0000 to 9999 are read back from their texts, in order")
    func days() {
        var wrong: [String] = []
        var previous = ""
        // Each day of a whole cycle of 400 years, and every seventh of the others with both ends.
        let days =
            Array(stride(from: Int64(-719_528), to: -135_140, by: 7)) + Array(Int64(-135_140)..<10_957)
            + Array(stride(from: Int64(10_957), to: 2_932_896, by: 7)) + [2_932_896]
        for day in days {
            let time = Timestamp(clampingSeconds: day * 86_400 + 86_399)
            let text = time.text
            if Timestamp(text) != time || text <= previous { wrong.append(text) }
            previous = text
        }
        #expect(wrong.isEmpty)
        #expect(previous == "9999-12-31T23:59:59Z")
    }

    @Test("text has whole seconds, cut towards the past")
    func text() {
        #expect(Timestamp(clamping: 1_767_781_800_999).text == "2026-01-07T10:30:00Z")
        #expect(Timestamp(clamping: -1).text == "1969-12-31T23:59:59Z")
        #expect(Timestamp(clamping: -1).seconds == -1)
        #expect(Timestamp(clamping: -1000).seconds == -1)
        #expect(Timestamp(clamping: 999).seconds == 0)
        #expect(Timestamp.earliest.text == "0000-01-01T00:00:00Z")
        #expect(Timestamp.latest.text == "9999-12-31T23:59:59Z")
    }

    @Test("never leaves its range")
    func clamping() {
        #expect(Timestamp(clampingSeconds: .max) == .latest)
        #expect(Timestamp(clampingSeconds: .min) == .earliest)
        #expect(Timestamp.latest.adding(days: 7) == .latest)
        #expect(Timestamp.earliest.adding(days: .min) == .earliest)
        #expect(Timestamp.latest.adding(days: .max) == .latest)
        #expect(Timestamp("2024-02-27T10:30:05Z")?.adding(days: 5).text == "2024-03-03T10:30:05Z")
    }
}
