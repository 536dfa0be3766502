import Testing

@testable import Pipeline

@Suite("Money")
struct MoneyTests {
    private func cents(_ number: String) -> Int64? {
        guard case .number(let number)? = try? JSONReader.read(Array(number.utf8)) else { return nil }
        return Money(number)?.cents
    }

    @Test(
        "reads amounts exactly, the noise of binary floats to the cent",
        arguments: [
            ("0", 0), ("-0", 0), ("-0.000", 0), ("0e5", 0), ("0.00e999999999999", 0), ("1299.9", 129_990),
            ("1299.99", 129_999), ("1300", 130_000), ("1300.0", 130_000), ("1.2e3", 120_000), ("1.2E+3", 120_000),
            ("1299.9899999999998", 129_999), ("1299.9900000000002", 129_999), ("0.1", 10), ("0.01", 1),
            ("18.609999999999999", 1861), ("18.610000000000003", 1861), ("0.30000000000000004", 30),
            ("5.551115123125783e-17", 0), ("0.000001", 0), ("18.610001", 1861), ("18.609999", 1861),
            ("18.610001000", 1861), ("18.6099990000000001", 1861), ("0.009999999", 1), ("99.999999", 10_000),
            ("123456e-2", 123_456), ("1234500E-4", 12_345), ("9e-999999999999999999999", 0),
            ("1000000", 100_000_000), ("1000000.00", 100_000_000), ("1e6", 100_000_000),
            ("1000000.0000000001", 100_000_000),
            ("1000000.000001", 100_000_000), ("999999.999999", 100_000_000), ("0.000001e12", 100_000_000),
        ] as [(String, Int64)])
    func amounts(number: String, expected: Int64) {
        #expect(cents(number) == expected)
    }

    @Test(
        "has no amount below zero or above a million",
        arguments: [
            "-0.01", "-1", "-1e-9", "1000000.01", "1000000.005", "1000001", "1e7", "1e999999999",
            "1e99999999999999999999",
            "9223372036854775807", "9223372036854775808", "92233720368547758.08", "184467440737095516.16",
            "-1e999999999",
        ])
    func outOfRange(number: String) {
        #expect(cents(number) == nil)
    }

    @Test(
        "real digits beyond the cent are no noise",
        arguments: [
            "18.605", "0.005", "0.001", "5e-3", "4e-3", "123456E-4", "0.015", "0.0149999", "99.995", "9.999",
            "18.6100011",
            "18.61000100000000001", "18.6099989", "18.60999899999999999", "0.0000010000001", "0.0000011", "0.00002",
            "999999.999", "1000000.005", "1000000.0000011", "0.00499999999999999999999", "1299.99999",
        ])
    func realDigits(number: String) {
        #expect(cents(number) == nil)
    }

    @Test("every cent is read back from its text")
    func roundTrip() {
        var random = SeededNumbers(3)
        for _ in 0..<20_000 {
            let amount = random.number(in: 0...100_000_000)
            guard let money = Money(cents: amount) else {
                Issue.record("no money of \(amount) cents")
                return
            }
            var writer = JSONWriter(capacity: 16)
            writer.hundredths(money.cents)
            #expect(cents(String(decoding: writer.bytes, as: UTF8.self)) == amount)
            #expect(cents(money.text) == amount)
            // What Python's json.dumps writes for the nearest binary float.
            #expect(cents("\(Double(amount) / 100)") == amount)
        }
    }

    @Test("takes what exact arithmetic takes, wherever the point stands")
    func shifts() {
        var random = SeededNumbers(4)
        var taken = 0
        for _ in 0..<40_000 {
            // Cents with a little beside them, in units of 10^-9, so that many lie about the edges.
            let noise = random.element(
                of: [0, 1, 999, 1000, 1001, 9_998_999, 9_999_000, 9_999_001, 5_000_000] as [Int64])
            let units = random.number(in: 0...100_000_100) * 10_000_000 + noise
            let (cents, rest) = units.quotientAndRemainder(dividingBy: 10_000_000)
            var expected: Int64? = rest <= 1000 ? cents : rest >= 9_999_000 ? cents + 1 : nil
            if let value = expected, value > 100_000_000 { expected = nil }
            let exponent = random.below(20) - 10
            let text = Self.text(units, decimals: 9 + exponent) + "e\(exponent)"
            #expect(self.cents(text) == expected, "\(text)")
            if expected != nil { taken += 1 }
        }
        #expect(taken > 10_000)
    }

    /// `units` of 10^-decimals.
    private static func text(_ units: Int64, decimals: Int) -> String {
        let digits = "\(units)"
        if decimals <= 0 { return units == 0 ? "0" : digits + String(repeating: "0", count: -decimals) }
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.utf8.count)) + digits
        return "\(padded.dropLast(decimals)).\(padded.suffix(decimals))"
    }

    @Test(
        "has a text with two decimals",
        arguments: [(0, "0.00"), (5, "0.05"), (129_999, "1299.99"), (130_000, "1300.00")])
    func text(cents: Int64, text: String) {
        #expect(Money(cents: cents)?.text == text)
    }

    @Test("sums and products stay in range")
    func arithmetic() {
        #expect(Money(cents: 250)?.times(3) == Money(cents: 750))
        #expect(Money(cents: 250)?.times(-1) == nil)
        #expect(Money(cents: 250)?.times(.max) == nil)
        #expect(Money.maximum.times(1) == .maximum)
        #expect(Money.maximum.adding(.zero) == .maximum)
        #expect(Money(cents: 1).flatMap { Money.maximum.adding($0) } == nil)
        #expect(Money.zero < .maximum)
        #expect(Money(cents: -1) == nil)
        #expect(Money(cents: 100_000_001) == nil)
    }
}
