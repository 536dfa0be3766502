import ActorBus
import ActorBusTesting
import Testing

@testable import simulate

/// A little of what `make simulate` does at length.
@Suite(.timeLimit(.minutes(5))) struct SearchTests {
    @Test(arguments: [1, 101, 201, 301] as [UInt64]) func findsNothing(from start: UInt64) async throws {
        for seed in start..<start + 30 {
            let report = try await Run.outcome(of: Scenario(seed: seed))
            #expect(report.findings.isEmpty, "seed \(seed)")
        }
    }

    @Test func tellsTheSameStoryOfTheSameSeed() async throws {
        for seed in 1...5 as ClosedRange<UInt64> {
            let (first, second) = (
                try await Run.outcome(of: Scenario(seed: seed)),
                try await Run.outcome(of: Scenario(seed: seed), tellsStory: true)
            )
            #expect(first.trace == second.trace && first.elapsed == second.elapsed && !second.story.isEmpty)
        }
    }

    // MARK: What it has found

    /// Seed 4744. A consumer that was left between the look at it and the waiting for it was waited for without end.
    @Test func aConsumerThatIsLeftAsItIsWaitedFor() async throws {
        var scenario = Scenario(seed: 4744)
        scenario.nodes = 1
        scenario.latency = .microseconds(20)...(.milliseconds(1))
        scenario.isPieced = false
        scenario.window = 64 << 10
        scenario.heartbeat = .seconds(10)
        scenario.queues = [false]
        scenario.cuts = 0
        scenario.consumerTimeout = nil
        scenario.syncTime = .zero
        scenario.clients = [
            .init(consumers: [
                .init(
                    queue: 0, style: .deliveries, prefetch: 16, concurrency: 1, handling: .milliseconds(159),
                    failures: 0, patience: nil, span: .zero,
                    parting: nil)
            ])
        ]
        scenario.faults = [.init(at: .milliseconds(44_609), kind: .frozen(node: 0, .milliseconds(5_787)))]
        #expect(try await Run.outcome(of: scenario).findings.isEmpty)
    }
}

extension Run {
    /// A run on a thread of its own, since Swift's shared ones are needed by other tests meanwhile.
    static func outcome(
        of scenario: Scenario, tellsStory: Bool = false, sabotage: (@Sendable (Run) async -> Void)? = nil
    ) async throws -> Report {
        let thread = try BlockingThread(name: "search")
        return await Task(executorPreference: thread) {
            Run.of(scenario, tellsStory: tellsStory, sabotage: sabotage)
        }.value
    }
}
