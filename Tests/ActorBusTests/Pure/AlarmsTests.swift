import Testing

@testable import ActorBus

@Suite struct AlarmsTests {
    private func second(_ number: Int64) -> Instant { Instant(nanoseconds: number * 1_000_000_000) }

    @Test func theEarliestIsNextAndEachRingsOnce() {
        var alarms = Alarms<Int>()
        #expect(alarms.next == nil && alarms.takeDue(at: second(100)) == [])
        alarms.set(1, at: second(3))
        alarms.set(2, at: second(1))
        alarms.set(3, at: second(2))
        #expect(alarms.next == second(1))
        #expect(alarms.takeDue(at: second(0)) == [])
        #expect(alarms.takeDue(at: second(2)) == [2, 3])
        #expect(alarms.next == second(3))
        // A new one takes the place of the old.
        alarms.set(1, at: second(9))
        #expect(alarms.next == second(9) && alarms.takeDue(at: second(8)) == [])
        alarms.clear(1)
        alarms.clear(7)
        #expect(alarms.next == nil && alarms.takeDue(at: second(10)) == [])
    }
}
