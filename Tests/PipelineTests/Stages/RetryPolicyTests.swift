import Pipeline
import Testing

@Suite struct RetryPolicyTests {
    private static let policy = RetryPolicy(attempts: 5, first: .milliseconds(100), longest: .milliseconds(500))

    @Test func `pauses double up to the longest`() {
        let longest = (1...4).map { Self.policy.pause(afterFailures: $0, jitter: 1) }
        #expect(longest == [.milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(500)])
        let shortest = (1...4).map { Self.policy.pause(afterFailures: $0, jitter: 0) }
        #expect(shortest == [.milliseconds(50), .milliseconds(100), .milliseconds(200), .milliseconds(250)])
    }

    @Test func `ends after the last attempt`() {
        #expect(Self.policy.pause(afterFailures: 5, jitter: 0) == nil)
        #expect(Self.policy.pause(afterFailures: .max, jitter: 0) == nil)
    }

    @Test func `without an end it stays at the longest pause`() {
        let policy = RetryPolicy(attempts: .max, first: .milliseconds(100), longest: .seconds(5))
        #expect(policy.pause(afterFailures: 1_000_000, jitter: 1) == .seconds(5))
    }
}
