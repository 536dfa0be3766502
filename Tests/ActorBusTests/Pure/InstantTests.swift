import Testing

@testable import ActorBus

@Suite struct InstantTests {
    @Test func millisecondsAreRoundedUp() {
        let now = Instant(nanoseconds: 0)
        #expect(now.milliseconds(until: Instant(nanoseconds: 1)) == 1)
        #expect(now.milliseconds(until: Instant(nanoseconds: 1_500_000)) == 2)
        #expect(now.milliseconds(until: now) == 0)
        #expect(Instant(nanoseconds: 5).milliseconds(until: now) == 0)
    }

    @Test func extremesClampAndDoNotTrap() {
        let end = Instant(nanoseconds: .max)
        #expect(end + .seconds(1) == end)
        #expect(Instant(nanoseconds: 0) + .seconds(Int64.max) == end)
        #expect(Instant(nanoseconds: 0).milliseconds(until: end) == CInt.max)
        #expect(Instant(nanoseconds: .min).milliseconds(until: end) == CInt.max)
        #expect(Duration.seconds(Int64.max).nanoseconds == .max)
        #expect(Duration.seconds(Int64.min).nanoseconds == .min)
        #expect((Duration.zero - .nanoseconds(1)).nanoseconds == -1)
    }

    @Test func theClockGoesForward() {
        let before = World.real.now
        #expect(World.real.now >= before)
    }
}
