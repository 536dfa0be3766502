import Testing

@testable import ActorBus

@Suite struct HeartbeatMonitorTests {
    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    @Test func withoutAnIntervalThereAreNoDeadlines() {
        let monitor = HeartbeatMonitor(interval: nil, now: at(0))
        #expect(monitor.sendDeadline == nil)
        #expect(monitor.silenceDeadline == nil)
        #expect(monitor.patience == nil)
    }

    @Test func sendsAtHalfTheIntervalAndGivesUpAtTwice() {
        let monitor = HeartbeatMonitor(interval: .seconds(10), now: at(1_000))
        #expect(monitor.sendDeadline == at(6_000))
        #expect(monitor.silenceDeadline == at(21_000))
        #expect(monitor.patience == .seconds(20))
    }

    @Test func eachDirectionMovesItsOwnDeadline() {
        var monitor = HeartbeatMonitor(interval: .seconds(10), now: at(0))
        monitor.sent(at: at(3_000))
        #expect(monitor.sendDeadline == at(8_000))
        #expect(monitor.silenceDeadline == at(20_000))
        monitor.received(at: at(7_000))
        #expect(monitor.sendDeadline == at(8_000))
        #expect(monitor.silenceDeadline == at(27_000))
    }

    @Test func theShortestIntervalStillLeavesTimeToSend() {
        let monitor = HeartbeatMonitor(interval: .seconds(1), now: at(0))
        #expect(monitor.sendDeadline == at(500))
        #expect(monitor.silenceDeadline == at(2_000))
    }
}
