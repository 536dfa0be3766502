import Testing

@testable import ActorBus

@Suite struct BackoffTests {
    @Test func theCeilingDoublesUpToTheBound() {
        var backoff = Backoff(.milliseconds(200)...(.seconds(15)))
        let pauses = (0..<10).map { _ in backoff.next(jitter: .max) }
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
            let pause = backoff.next(jitter: random.next())
            #expect(pause >= .zero && pause <= .seconds(1))
            if pause < .milliseconds(500) { early += 1 }
        }
        #expect((400...600).contains(early))
    }

    /// Whatever the order of successes and losses, pauses begin anew only behind what has lasted twice the longest.
    @Test(arguments: 0..<50 as Range<UInt64>)
    func pausesBeginAnewOnlyBehindWhatHasLasted(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var backoff = Backoff(.milliseconds(100)...(.seconds(10)))
        var now = Instant(nanoseconds: 0)
        // The ceiling that the next pause has to have, in milliseconds.
        var expected: Int64 = 100
        for _ in 0..<200 {
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let pause = backoff.next(jitter: .max)
                #expect(pause <= .milliseconds(expected) && pause > .milliseconds(expected) * 0.999)
                expected = min(10_000, expected * 2)
            }
            backoff.succeeded(at: now)
            let lasts = [0, 1, 1_000, 10_000, 19_999, 20_000, 100_000].randomElement(using: &random)!
            now = now + .milliseconds(lasts)
            let hasLasted = backoff.lost(at: now)
            #expect(hasLasted == (lasts >= 20_000))
            if lasts >= 20_000 { expected = 100 }
        }
    }

    @Test func whatWasNeverReachedCannotBeLost() {
        var backoff = Backoff(.milliseconds(100)...(.seconds(10)))
        var hasLasted = backoff.lost(at: Instant(nanoseconds: .max))
        #expect(!hasLasted)
        backoff.succeeded(at: Instant(nanoseconds: 0))
        // A second word of the same success changes nothing.
        backoff.succeeded(at: Instant(nanoseconds: 30_000_000_000))
        hasLasted = backoff.lost(at: Instant(nanoseconds: 20_000_000_000))
        #expect(hasLasted)
        hasLasted = backoff.lost(at: Instant(nanoseconds: .max))
        #expect(!hasLasted)
    }

    @Test func extremesDoNotTrap() {
        for range in [
            Duration.zero...(.zero), .zero...(.seconds(Int64.max)), .seconds(Int64.max / 2)...(.seconds(Int64.max)),
        ] {
            var backoff = Backoff(range)
            for _ in 0..<200 { #expect(backoff.next(jitter: .max) >= .zero) }
        }
    }
}
