import ActorBus
import Pipeline
import Testing

@Suite struct FailurePolicyTests {
    private static let policy = FailurePolicy(
        inPlace: RetryPolicy(attempts: 3, first: .milliseconds(100), longest: .seconds(1)),
        delays: [.seconds(1), .seconds(5), .seconds(30)])

    private static func history(attempts: Int64 = 0, retries: Int64) -> FailureHistory {
        FailureHistory(of: ["x-attempts": .int64(attempts), "x-retries": .int64(retries)])
    }

    @Test func `tries in place first, then after each delay in turn, then no more`() {
        var steps: [FailurePolicy.Step] = []
        for retries in 0...4 {
            for failures in 1...3 {
                steps.append(
                    Self.policy.step(afterFailures: failures, Self.history(retries: Int64(retries)), jitter: 1))
            }
        }
        let inPlace: [FailurePolicy.Step] = [
            .inPlace(after: .milliseconds(100)), .inPlace(after: .milliseconds(200)),
        ]
        #expect(
            steps
                == inPlace + [.later(.seconds(1))] + inPlace + [.later(.seconds(5))] + inPlace + [.later(.seconds(30))]
                + inPlace + [.exhausted] + inPlace + [.exhausted])
    }

    @Test func `without delays it is exhausted after the attempts in place`() {
        let policy = FailurePolicy(inPlace: Self.policy.inPlace, delays: [])
        #expect(policy.step(after: .none) == .exhausted)
        #expect(policy.step(afterFailures: 1, .none, jitter: 0) == .inPlace(after: .milliseconds(50)))
    }

    @Test func `the standard delays outlast an outage of ten minutes`() {
        #expect([RetryDelay].standard.map(\.description) == ["1", "5", "30", "120", "600"])
        #expect([RetryDelay].standard.reduce(0) { $0 + $1.milliseconds } > 600_000)
    }

    @Test(arguments: [
        (1, "0.001"), (50, "0.05"), (500, "0.5"), (1_000, "1"), (1_250, "1.25"), (600_000, "600"), (0, "0.001"),
        (-5, "0.001"),
    ])
    func `a delay names its queue in seconds`(milliseconds: Int64, name: String) {
        #expect(RetryDelay(milliseconds: milliseconds).description == name)
        #expect(
            PipelineQueue.payment.retryQueue(after: RetryDelay(milliseconds: milliseconds))
                == "payment_processor_queue.retry.\(name)")
    }

    @Test func `a history is believed only of what came from a queue of ours`() {
        let headers: FieldTable = [
            "x-attempts": 9, "x-retries": 5, "x-first-failed-at": "2026-01-07T10:30:00Z",
            "x-original-exchange": "orders",
        ]
        #expect(FailureHistory(of: headers, deliveredFrom: "") == FailureHistory(of: headers))
        #expect(FailureHistory(of: headers, deliveredFrom: "orders") == .none)
        #expect(Self.policy.step(after: FailureHistory(of: headers, deliveredFrom: "orders")) == .later(.seconds(1)))
    }

    /// Each attempt that is not confirmed in time may be one more copy.
    @Test func `what is not confirmed is sent again in longer and longer intervals`() {
        let pauses = (1...).lazy.compactMap { RetryPolicy.unconfirmed.pause(afterFailures: $0, jitter: 0) }
        var (elapsed, attempts) = (Duration.zero, 0)
        for pause in pauses {
            elapsed += pause
            guard elapsed < .seconds(3600) else { break }
            attempts += 1
        }
        #expect(attempts < 35)
        #expect(RetryPolicy.unconfirmed.pause(afterFailures: 20, jitter: 1) == .seconds(300))
    }

    @Test func `a history is read from headers, whatever they hold`() {
        #expect(FailureHistory.none == Self.history(retries: 0))
        let whole = FailureHistory(of: [
            "x-attempts": 9, "x-retries": .int32(2), "x-first-failed-at": "2026-01-07T10:30:00Z",
            "x-original-exchange": "orders",
        ])
        #expect(whole.attempts == 9 && whole.retries == 2 && whole.originalExchange == "orders")
        #expect(whole.firstFailedAt == Timestamp(clampingSeconds: 1_767_781_800))
        let values: [FieldValue] = [
            .int64(.min), .int64(-1), .void, "7", .bool(true), .double(1e300), .array([]), .timestamp(.max),
        ]
        for value in values {
            let history = FailureHistory(of: [
                "x-attempts": value, "x-retries": value, "x-first-failed-at": value, "x-original-exchange": .int8(1),
            ])
            #expect(history.attempts == 0 && history.retries == 0, "\(value)")
            #expect(history.firstFailedAt == nil && history.originalExchange == nil, "\(value)")
        }
        let large = FailureHistory(of: ["x-attempts": .int64(.max), "x-retries": .int64(.max)])
        #expect(large.attempts + Int64(Int32.max) > 0)
        #expect(Self.policy.step(after: large) == .exhausted)
    }
}
