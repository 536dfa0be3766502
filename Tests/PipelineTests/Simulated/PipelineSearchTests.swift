import ActorBus
import ActorBusTesting
import Pipeline
import Testing

@testable import simulate_pipeline

/// A little of what `make simulate-pipeline` does at length; one run at a time, as each keeps a processor busy.
@Suite(.serialized, .timeLimit(.minutes(5))) struct PipelineSearchTests {
    @Test(arguments: [1, 7] as [UInt64]) func `nothing is found`(from start: UInt64) async throws {
        for seed in start..<start + 6 {
            let report = try await outcome(of: Scenario(seed: seed))
            #expect(report.findings.isEmpty, "seed \(seed)")
        }
    }

    @Test func `the same seed tells the same story`() async throws {
        for seed in 1...2 as ClosedRange<UInt64> {
            let (first, second) = (
                try await outcome(of: Scenario(seed: seed)),
                try await outcome(of: Scenario(seed: seed), tellsStory: true)
            )
            #expect(first.trace == second.trace && first.elapsed == second.elapsed && !second.story.isEmpty)
        }
    }

    // MARK: What it must find

    @Test func `nothing is found where nothing is wrong`() async throws {
        let report = try await outcome(of: Scenario(calm: 1))
        #expect(report.findings.isEmpty && report.orders == 20 && report.duplicates == 0)
    }

    /// As a generator would that marks orders before the broker has confirmed them.
    @Test func `an order that is marked too early and lost is found`() async throws {
        var scenario = Scenario(calm: 1)
        scenario.faults = [
            .init(at: .seconds(5), kind: .frozen(node: 0, .seconds(30))),
            .init(at: .seconds(25), kind: .signal(.kill, service: 0, steps: 1, pause: .seconds(1))),
        ]
        #expect(try await outcome(of: scenario).findings.isEmpty)
        let report = try await outcome(of: scenario) { run, moment in
            guard moment == .generatorWasKilled else { return }
            let outbox = try OrderOutboxDatabase(in: run.orders.folder.directory, in: run.simulated.world)
            try outbox.markConfirmed(try outbox.unconfirmed().map(\.orderID))
        }
        #expect(report.findings.contains { $0.contains("was confirmed and is lost") })
    }

    /// As a service would that acknowledges what it has not done.
    @Test func `payments that nobody ships are found`() async throws {
        var scenario = Scenario(calm: 1)
        scenario.orders = 60
        scenario.interval = "0-0"
        #expect(try await outcome(of: scenario).findings.isEmpty)
        let report = try await outcome(of: scenario) { run, moment in
            if moment == .faultsAreOver { run.broker.deleteQueue(PipelineQueue.fulfillment.rawValue) }
        }
        #expect(report.findings.contains { $0.contains("success, and shipment none") })
    }

    @Test func `a service that does not come back is found`() async throws {
        let report = try await outcome(of: Scenario(calm: 1)) { run, moment in
            if moment == .faultsAreOver { run.simulated.network.shutDown(run.nodeNames[0]) }
        }
        #expect(report.findings.contains { $0.contains("is not ready") })
    }

    /// A run on a thread of its own, since Swift's shared ones are needed by other tests meanwhile.
    private func outcome(
        of scenario: Scenario, tellsStory: Bool = false, sabotage: Run.Sabotage? = nil
    ) async throws -> Run.Report {
        let thread = try BlockingThread(name: "search")
        return try await Task(executorPreference: thread) {
            try Run.of(scenario, tellsStory: tellsStory, sabotage: sabotage)
        }.value
    }
}
