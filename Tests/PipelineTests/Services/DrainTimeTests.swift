import ActorBus
import Testing

@testable import Pipeline

@Suite(.timeLimit(.minutes(1))) struct DrainTimeTests {
    @Test func `begins with the first to ask, and who comes later has what is left`() async throws {
        let time = DrainTime(.seconds(100))
        let before = ContinuousClock.now
        let first = time.left
        try await Task.sleep(for: .milliseconds(20))
        let second = time.left
        let passed = before.duration(to: .now)
        #expect(first <= .seconds(100) && first >= .seconds(100) - passed)
        #expect(second <= first - .milliseconds(20) && second >= .seconds(100) - passed)
        #expect(time.limit == .seconds(100))
    }

    @Test func `never is below nothing`() {
        let time = DrainTime(.zero)
        #expect(time.left == .zero && time.left == .zero)
    }

    @Test func `none is left once it is given up, before it began or after`() {
        let fresh = DrainTime(.seconds(100))
        fresh.giveUp()
        #expect(fresh.left == .zero)
        let begun = DrainTime(.seconds(100))
        #expect(begun.left > .seconds(90))
        begun.giveUp()
        #expect(begun.left == .zero)
    }

    @Test func `work that does not end is cancelled at once when none is left`() async {
        let time = DrainTime(.seconds(1000))
        time.giveUp()
        let draining = Task {
            try await withDrain(within: time) { _ in try await Task.sleep(for: .seconds(1000)) }
        }
        draining.cancel()
        let error = await #expect(throws: AMQPError.self) { try await draining.value }
        #expect(error?.code == .drainTimedOut)
    }
}
