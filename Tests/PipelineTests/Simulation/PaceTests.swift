import Testing

@testable import Pipeline

@Suite("Pace")
struct PaceTests {
    @Test(
        "waits lie in the range, divided by the speed",
        arguments: [
            ("10-20", "1", Duration.seconds(10), Duration.seconds(20)),
            ("10-20", "10", .seconds(1), .seconds(2)),
            ("0.5-2.0", "0.5", .seconds(1), .seconds(4)),
            ("0.001", "1000000", .nanoseconds(1), .nanoseconds(1)),
            ("86400", "0.001", .seconds(86_400_000), .seconds(86_400_000)),
            ("10-20", "max", .zero, .zero),
            ("0", "1", .zero, .zero),
        ])
    func waits(range: String, speed: String, least: Duration, most: Duration) throws {
        let pace = Pace(try SecondsRange(range), speed: try Speed(speed))
        var generator = SplitMix64(seed: 1)
        let waits = (0..<1000).map { _ in pace.wait(using: &generator) }
        #expect(waits.allSatisfy { $0 >= least && $0 <= most })
        if least < most { #expect(Set(waits).count > 500) }
    }

    @Test("batches take every size of their range")
    func batches() throws {
        let size = try BatchSize("1-5")
        var generator = SplitMix64(seed: 1)
        var counts: [Int: Int] = [:]
        for _ in 0..<5000 { counts[size.draw(using: &generator), default: 0] += 1 }
        #expect(Set(counts.keys) == Set(1...5))
        #expect(counts.values.allSatisfy { abs($0 - 1000) < 150 })
    }

    @Test("the generator of numbers is the published one")
    func splitMix64() {
        var generator = SplitMix64(seed: 1_234_567)
        let numbers = (0..<5).map { _ in generator.next() }
        #expect(
            numbers == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
                4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
            ])
    }
}
