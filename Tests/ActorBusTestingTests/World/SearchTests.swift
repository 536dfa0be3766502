import ActorBus
import ActorBusTesting
import Testing

@testable import simulate

/// A little of what `make simulate` does at length.
@Suite(.timeLimit(.minutes(5))) struct SearchTests {
    @Test(arguments: [1, 101, 201, 301] as [UInt64]) func findsNothing(from start: UInt64) async throws {
        for seed in start..<start + 30 {
            let report = try await outcome(of: Scenario(seed: seed))
            #expect(report.findings.isEmpty, "seed \(seed)")
        }
    }

    @Test func tellsTheSameStoryOfTheSameSeed() async throws {
        for seed in 1...5 as ClosedRange<UInt64> {
            let (first, second) = (
                try await outcome(of: Scenario(seed: seed)),
                try await outcome(of: Scenario(seed: seed), tellsStory: true)
            )
            #expect(first.trace == second.trace && first.elapsed == second.elapsed && !second.story.isEmpty)
        }
    }

    /// A run on a thread of its own, since Swift's shared ones are needed by other tests meanwhile.
    private func outcome(
        of scenario: Scenario, tellsStory: Bool = false, sabotage: (@Sendable (Run) -> Void)? = nil
    ) async throws -> Run.Report {
        let thread = try BlockingThread(name: "search")
        return await Task(executorPreference: thread) {
            Run.of(scenario, tellsStory: tellsStory, sabotage: sabotage)
        }.value
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
        scenario.clients = [
            .init(consumers: [
                .init(
                    queue: 0, style: .deliveries, prefetch: 16, concurrency: 1, handling: .milliseconds(159),
                    failures: 0, span: .zero)
            ])
        ]
        scenario.faults = [.init(at: .milliseconds(44_609), kind: .frozen(node: 0, .milliseconds(5_787)))]
        #expect(try await outcome(of: scenario).findings.isEmpty)
    }

    // MARK: What it must find

    /// A client that publishes to one queue and consumes from it, undisturbed.
    private static var plain: Scenario {
        var scenario = Scenario(seed: 1)
        scenario.nodes = 1
        scenario.queues = [false]
        scenario.faults = []
        scenario.cuts = 0
        scenario.clients = [
            .init(
                publishers: [
                    .init(
                        messages: 10, tasks: 1, window: 5, timeout: .seconds(30), pause: .seconds(1), sendsAhead: false,
                        cancelled: 0, unroutable: 0)
                ])
        ]
        return scenario
    }

    @Test func findsNothingWhereNothingIsWrong() async throws {
        let report = try await outcome(of: Self.plain)
        #expect(report.findings.isEmpty && report.published == 10)
    }

    @Test func findsAConfirmedMessageThatIsLost() async throws {
        let report = try await outcome(of: Self.plain) { $0.broker.deleteQueue(Run.queueName(0)) }
        #expect(report.findings.contains { $0.contains("was confirmed and is lost") })
    }

    @Test func findsAClientThatDoesNotComeBack() async throws {
        let report = try await outcome(of: Self.plain) { $0.simulated.network.shutDown($0.nodeNames[0]) }
        #expect(report.findings.contains { $0.contains("is not ready") })
    }

    @Test func findsAConsumerThatTheBrokerDoesNotHave() async throws {
        var scenario = Self.plain
        scenario.clients[0].consumers = [
            .init(
                queue: 0, style: .process, prefetch: 1, concurrency: 1, handling: .zero, failures: 0, span: nil)
        ]
        #expect(try await outcome(of: scenario).findings.isEmpty)
        let report = try await outcome(of: scenario) { run in run.simulated.network.freeze(run.nodeNames[0]) }
        #expect(report.findings.contains { $0.contains("are registered") || $0.contains("is not ready") })
    }
}
