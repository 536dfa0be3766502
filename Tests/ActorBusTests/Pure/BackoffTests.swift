import Testing

@testable import ActorBus

@Suite struct BackoffTests {
    /// Always the largest number, so that the pause is its ceiling.
    private struct Largest: RandomNumberGenerator {
        mutating func next() -> UInt64 { .max }
    }

    @Test func theCeilingDoublesUpToTheBound() {
        var backoff = Backoff(.milliseconds(200)...(.seconds(15)))
        var random = Largest()
        let pauses = (0..<10).map { _ in backoff.next(using: &random) }
        let expected: [Duration] = [.milliseconds(200), .milliseconds(400), .milliseconds(800), .milliseconds(1600)]
        for (pause, ceiling) in zip(pauses, expected) {
            #expect(pause <= ceiling && pause > ceiling - .milliseconds(1))
        }
        #expect(pauses[9] <= .seconds(15) && pauses[9] > .milliseconds(14_999))
    }

    @Test func pausesAreSpreadOverTheWholeRange() {
        var random = SeededGenerator(seed: 1)
        var early = 0
        for _ in 0..<1_000 {
            var backoff = Backoff(.seconds(1)...(.seconds(1)))
            let pause = backoff.next(using: &random)
            #expect(pause >= .zero && pause <= .seconds(1))
            if pause < .milliseconds(500) { early += 1 }
        }
        #expect((400...600).contains(early))
    }

    @Test func extremesDoNotTrap() {
        var random = Largest()
        for range in [
            Duration.zero...(.zero), .zero...(.seconds(Int64.max)), .seconds(Int64.max / 2)...(.seconds(Int64.max)),
        ] {
            var backoff = Backoff(range)
            for _ in 0..<200 { #expect(backoff.next(using: &random) >= .zero) }
        }
    }
}
