import ActorBusTesting
import Testing

@testable import simulate

/// A little of what `make simulate` does at length.
@Suite(.timeLimit(.minutes(5))) struct SearchTests {
    @Test(arguments: [1, 101, 201, 301] as [UInt64]) func findsNothing(from start: UInt64) {
        for seed in start..<start + 30 {
            let report = Run.of(Scenario(seed: seed))
            #expect(report.findings.isEmpty, "seed \(seed)")
        }
    }

    @Test func tellsTheSameStoryOfTheSameSeed() {
        for seed in 1...5 as ClosedRange<UInt64> {
            let (first, second) = (Run.of(Scenario(seed: seed)), Run.of(Scenario(seed: seed), tellsStory: true))
            #expect(first.trace == second.trace && first.elapsed == second.elapsed && !second.story.isEmpty)
        }
    }

    // MARK: What it has found

    /// Seed 4744. A consumer that was left between the look at it and the waiting for it was waited for without end.
    @Test func aConsumerThatIsLeftAsItIsWaitedFor() {
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
        #expect(Run.of(scenario).findings.isEmpty)
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

    @Test func findsNothingWhereNothingIsWrong() {
        let report = Run.of(Self.plain)
        #expect(report.findings.isEmpty && report.published == 10)
    }

    @Test func findsAConfirmedMessageThatIsLost() {
        let report = Run.of(Self.plain) { $0.broker.deleteQueue(Run.queueName(0)) }
        #expect(report.findings.contains { $0.contains("was confirmed and is lost") })
    }

    @Test func findsAClientThatDoesNotComeBack() {
        let report = Run.of(Self.plain) { $0.simulated.network.shutDown($0.nodeNames[0]) }
        #expect(report.findings.contains { $0.contains("is not ready") })
    }

    @Test func findsAConsumerThatTheBrokerDoesNotHave() {
        var scenario = Self.plain
        scenario.clients[0].consumers = [
            .init(
                queue: 0, style: .process, prefetch: 1, concurrency: 1, handling: .zero, failures: 0, span: nil)
        ]
        #expect(Run.of(scenario).findings.isEmpty)
        let report = Run.of(scenario) { run in run.simulated.network.freeze(run.nodeNames[0]) }
        #expect(report.findings.contains { $0.contains("are registered") || $0.contains("is not ready") })
    }
}
