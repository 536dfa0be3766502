import ActorBus
import Testing

@testable import simulate_pipeline

/// A little of what `make simulate-pipeline` does at length.
@Suite(.timeLimit(.minutes(5))) struct PipelineSearchTests {
    @Test(arguments: [1, 101] as [UInt64]) func `nothing is found`(from start: UInt64) async throws {
        for seed in start..<start + 20 {
            let report = try await outcome(of: Scenario(seed: seed))
            #expect(report.findings.isEmpty, "seed \(seed)")
        }
    }

    @Test func `the same seed tells the same story`() async throws {
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
        of scenario: Scenario, tellsStory: Bool = false, sabotage: (@Sendable (Run, Run.Moment) -> Void)? = nil
    ) async throws -> Run.Report {
        let thread = try BlockingThread(name: "search")
        return try await Task(executorPreference: thread) {
            try Run.of(scenario, tellsStory: tellsStory, sabotage: sabotage)
        }.value
    }
}
