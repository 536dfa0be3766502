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
            ("1299.9899999999998", 129_999), ("1299.9900000000002", 129_999), ("0.1", 10), ("0.01", 1), ("0.005", 1),
            ("0.00499999999999999999999", 0), ("0.0149999", 1), ("0.015", 2), ("0.30000000000000004", 30),
            ("123456e-2", 123_456), ("123456E-4", 1235), ("5e-3", 1), ("4e-3", 0), ("9e-999999999999999999999", 0),
            ("1000000", 100_000_000), ("1000000.00", 100_000_000), ("1e6", 100_000_000),
            ("1000000.0000000001", 100_000_000),
            ("999999.999", 100_000_000), ("0.000001e12", 100_000_000), ("99.995", 10_000), ("9.999", 1000),
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

    @Test("rounds like exact arithmetic, wherever the point stands")
    func shifts() {
        var random = SeededNumbers(4)
        for _ in 0..<20_000 {
            let digits = random.number(in: 0...99_999_999_999)
            let exponent = Int(random.number(in: -14...6))
            var expected: Int64? = digits
            var shift = exponent + 2
            while shift > 0, let value = expected {
                expected = value > 1_000_000_000_000 ? nil : value * 10
                shift -= 1
            }
            if shift < 0 {
                var divisor: Int64 = 1
                for _ in shift..<0 { divisor *= 10 }
                expected = (digits + divisor / 2) / divisor
            }
            if let value = expected, value > 100_000_000 { expected = nil }
            #expect(cents("\(digits)e\(exponent)") == expected, "\(digits)e\(exponent)")
        }
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
