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

    /// A consumer that was left between the look at it and the waiting for it was waited for without end.
    @Test func aConsumerThatIsLeftAsItIsWaitedFor() async throws {
        var scenario = Scenario.quiet(seed: 102)
        scenario.heartbeat = .seconds(2)
        scenario.queues = [true, false]
        scenario.clients = [
            .init(
                publishers: [
                    .init(
                        messages: 1, tasks: 1, window: 15, timeout: .seconds(29), pause: .seconds(8), sendsAhead: true,
                        cancelled: 0, unroutable: 0, isKept: true)
                ],
                consumers: [
                    .init(queue: 1, prefetch: 7, handling: .milliseconds(127)),
                    .init(
                        queue: 0, style: .deliveries, prefetch: 12, handling: .milliseconds(4_551),
                        span: .milliseconds(4_734)),
                ],
                reading: .nothing, closes: .milliseconds(37_994)),
            .init(closes: .milliseconds(63)),
        ]
        scenario.faults = [
            .init(at: .milliseconds(5_661), kind: .silence(node: 0)),
            .init(at: .milliseconds(5_680), kind: .down(node: 0, .milliseconds(7_065))),
            .init(at: .milliseconds(5_737), kind: .channelClosed),
            .init(at: .milliseconds(6_346), kind: .withoutRight(.configure, .milliseconds(13_598))),
            .init(at: .milliseconds(13_547), kind: .closedByOperator),
            .init(at: .milliseconds(21_057), kind: .frozen(node: 0, .milliseconds(7_152))),
            .init(at: .milliseconds(21_617), kind: .leaderMoved(queue: 1, node: 0)),
            .init(at: .milliseconds(21_952), kind: .deleted(queue: 0)),
            .init(at: .milliseconds(22_100), kind: .closedByOperator),
            .init(at: .milliseconds(22_118), kind: .deleted(queue: 0)),
        ]
        #expect(try await Run.outcome(of: scenario).findings.isEmpty)
    }

    /// A queue was told to be declared again of which nobody had heard that it was left out: that had been in an attempt that
    /// failed.
    @Test func aQueueThatIsLeftOutInAnAttemptThatFails() async throws {
        var scenario = Scenario.quiet(seed: 8)
        scenario.nodes = 2
        scenario.heartbeat = .seconds(9)
        scenario.queues = [false, false]
        let consumers: [Scenario.ConsumerPlan] = [
            .init(queue: 1, prefetch: 3, handling: .milliseconds(712)),
            .init(queue: 0, prefetch: 8, handling: .milliseconds(2_442)),
        ]
        scenario.clients = [.init(consumers: consumers)]
        scenario.faults = [
            .init(at: .milliseconds(23_606), kind: .killed(node: 0, .milliseconds(5_974), losingUnsynced: true))
        ]
        #expect(try await Run.outcome(of: scenario).findings.isEmpty)
    }

    /// A connection that was closed while a queue was left out kept the alarm of the next attempt.
    @Test func aConnectionThatIsClosedWhileAQueueIsLeftOut() async throws {
        var scenario = Scenario.quiet(seed: 40)
        scenario.heartbeat = .seconds(5)
        scenario.queues = [false, true]
        scenario.clients = [.init(reading: .nothing, closes: .milliseconds(16_325))]
        scenario.faults = [.init(at: .milliseconds(8_951), kind: .withoutRight(.configure, .milliseconds(7_257)))]
        #expect(try await Run.outcome(of: scenario).findings.isEmpty)
    }
}

extension Scenario {
    /// One in which nothing happens, and nobody is there yet.
    static func quiet(seed: UInt64) -> Scenario {
        var scenario = Scenario(seed: seed)
        scenario.nodes = 1
        scenario.latency = .microseconds(20)...(.milliseconds(1))
        scenario.isPieced = false
        scenario.window = 64 << 10
        scenario.heartbeat = .seconds(10)
        scenario.queues = [false]
        scenario.consumerTimeout = nil
        scenario.syncTime = .zero
        scenario.clients = []
        scenario.faults = []
        scenario.cuts = 0
        return scenario
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
