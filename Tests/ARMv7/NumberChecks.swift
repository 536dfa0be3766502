/// Money, and numbers in JSON: whole cents up to a million, whole numbers of 64 bits, whatever an `Int` holds.
func checkNumbers(_ transcript: inout Transcript) {
    checkMoney(&transcript)
    checkJSONNumbers(&transcript)
    checkJSONTexts(&transcript)
}

private func money(_ cents: Int64) -> String? { Money(cents: cents)?.text }

private func checkMoney(_ transcript: inout Transcript) {
    transcript.begin("Money")
    transcript.expect("nothing", money(0), "0.00")
    transcript.expect("one million", money(100_000_000), "1000000.00")
    transcript.expect("a cent more", money(100_000_001), nil)
    transcript.expect("a cent less than nothing", money(-1), nil)
    // In 32 bits these would be small amounts.
    transcript.expect("2^32 cents", money(1 << 32), nil)
    transcript.expect("2^32 + 129999 cents", money(1 << 32 + 129_999), nil)
    transcript.expect("-2^32 + 1 cents", money(-1 << 32 + 1), nil)
    transcript.expect("the least", money(.min), nil)
    transcript.expect("the most", money(.max), nil)
    let one = Money(cents: 100) ?? .zero
    transcript.expect("1.00 a million times", one.times(1_000_000)?.text, "1000000.00")
    transcript.expect("1.00 a million times and once", one.times(1_000_001)?.text, nil)
    transcript.expect("1.00 42949673 times, 2^32 + 4 cents", one.times(42_949_673)?.text, nil)
    transcript.expect("1.00 2^32 + 3 times", one.times(1 << 32 + 3)?.text, nil)
    transcript.expect("1.00 as often as can be", one.times(.max)?.text, nil)
    transcript.expect("0.00 as often as can be", Money.zero.times(.max)?.text, "0.00")
    transcript.expect("a million and a cent", Money.maximum.adding(Money(cents: 1) ?? .zero)?.text, nil)
    transcript.expect("two millions", Money.maximum.adding(.maximum)?.text, nil)
    var random = SplitMix64(seed: 3)
    for _ in 0..<1000 {
        let cents = Int64(random.next() % 100_000_000)
        guard let amount = Money(cents: cents), let number = number("\(amount.text)") else {
            transcript.expect("\(cents) cents", "no amount", "an amount")
            continue
        }
        transcript.expect("read \(amount.text)", Money(number)?.cents, cents)
        let count = Int64(random.next() % 200)
        transcript.note("\(amount.text) \(count) times", amount.times(count)?.text)
    }
}

private func number(_ text: String) -> JSONNumber? {
    guard let value = try? JSONReader.read(Array(text.utf8)), case .number(let number) = value else { return nil }
    return number
}

private func checkJSONNumbers(_ transcript: inout Transcript) {
    transcript.begin("JSONNumber")
    for (text, expected) in [
        ("2147483647", 2_147_483_647), ("2147483648", 2_147_483_648), ("-2147483649", -2_147_483_649),
        ("4294967296", 4_294_967_296), ("9007199254740993", 9_007_199_254_740_993),
        ("9223372036854775807", .max), ("9223372036854775808", nil), ("-9223372036854775808", .min),
        ("-9223372036854775809", nil), ("18446744073709551616", nil), ("1.0", 1), ("1e3", 1000), ("-0", 0),
        ("9223372036854775807000e-3", .max), ("-9.223372036854775808e18", .min), ("9223372036854775807.5", nil),
        ("1e2147483648", nil), ("0e2147483648", 0), ("1e-4294967296", nil),
    ] as [(String, Int64?)] {
        transcript.expect("whole \(text)", number(text)?.wholeNumber, expected)
    }
    for (text, expected) in [
        ("21474836.47", 2_147_483_647), ("21474836.48", 2_147_483_648), ("42949672.96", 4_294_967_296),
        ("9999999999999999.99", 999_999_999_999_999_999), ("92233720368547758.07", .max),
        ("92233720368547758.075", nil), ("184467440737095516.16", nil), ("1299.9899999999998", 129_999),
        ("0.005", 1), ("0.0049999999999999999999999", 0), ("1e6", 100_000_000), ("1000000e-2147483648", 0),
        ("1e2147483647", nil), ("1e2147483648", nil), ("1e4294967296", nil), ("1e-4294967298", 0),
        ("1e99999999999999999999", nil), ("1e-99999999999999999999", 0), ("0e99999999999999999999", 0),
        ("1000000.00000000000000000000000001", 100_000_000),
    ] as [(String, Int64?)] {
        transcript.expect("hundredths of \(text)", number(text)?.rounded(decimals: 2), expected)
    }
    transcript.expect("the sign of -0.00", number("-0.00")?.units(decimals: 2)?.isNegative, false)
    transcript.expect("the sign of -0.01", number("-0.01")?.units(decimals: 2)?.isNegative, true)
    transcript.expect("hundredths of -0.015", number("-0.015")?.rounded(decimals: 2), -2)
    var random = SplitMix64(seed: 4)
    for _ in 0..<1000 {
        let whole = Int64(bitPattern: random.next()) >> Int64(random.next() % 64)
        transcript.expect("whole \(whole)", number("\(whole)")?.wholeNumber, whole)
        let text = "\(whole).\(random.next() % 100_000)e\(Int64(random.next() % 40) - 20)"
        transcript.note("hundredths of \(text)", number(text)?.rounded(decimals: 2))
        transcript.note("cents of \(text)", number(text).flatMap { Money($0) }?.text)
    }
}

private func checkJSONTexts(_ transcript: inout Transcript) {
    transcript.begin("JSON")
    func fault(_ text: String) -> String {
        do {
            _ = try JSONReader.read(Array(text.utf8))
            return "none"
        } catch {
            return error.description
        }
    }
    let deepest = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
    transcript.expect("64 deep", fault(deepest), "none")
    transcript.expect(
        "65 deep", fault("[" + deepest + "]"), "not valid JSON at byte 64: nested deeper than 64 levels")
    for text in ["", "{", "[1,]", "01", "1.", "\"\\ud83d\\ude00\\ud800\"", "nul", "{\"a\":1,\"a\":2} x", "\"\u{1}\""] {
        transcript.note(text, fault(text))
    }
    var json = JSONWriter(capacity: 64)
    json.beginArray()
    for number in [.min, -1 << 32, 0, 1 << 31, 1 << 32, .max] as [Int64] {
        json.whole(number)
        json.hundredths(number)
    }
    json.endArray()
    transcript.expect(
        "written", String(decoding: json.bytes, as: UTF8.self),
        "[-9223372036854775808,-92233720368547758.08,-4294967296,-42949672.96,0,0,2147483648,21474836.48,"
            + "4294967296,42949672.96,9223372036854775807,92233720368547758.07]")
}
