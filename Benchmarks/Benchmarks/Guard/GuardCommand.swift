import ArgumentParser

/// Fails when ActorBus needs more system calls for a message than it should.
///
/// Calls, not times: they are the same on a busy machine and in a debug build.
struct GuardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "guard", abstract: "Checks ActorBus' system calls per message against limits, with strace.")

    /// A machine that is busy elsewhere may break up a batch now and then; what is broken breaks up each.
    private static let attempts = 3

    func run() async throws {
        let all = Contender.all(own: Contender.ownPath)
        func contender(_ name: String) throws -> Contender {
            guard let contender = all.first(where: { $0.name == name }) else {
                throw BenchmarkError("there is no client called '\(name)'")
            }
            return contender
        }
        let deleter = try contender(Contender.baseline)
        let findings = try await BenchBroker.with(deleter: deleter) { broker in
            let client = ClientRun(broker: broker)
            var findings: [Finding] = []
            for (index, limit) in Limit.all.enumerated() {
                let own = try contender(limit.contender)
                var lowest = Finding(limit: limit, callsPerMessage: .infinity)
                for attempt in 0..<Self.attempts where !lowest.isWithinLimit {
                    let run = index * Self.attempts + attempt
                    let calls = try await client.countSystemCalls(own, limit.scenario, run: run)
                    lowest.callsPerMessage = min(lowest.callsPerMessage, calls)
                }
                findings.append(lowest)
            }
            return findings
        }
        print(Finding.table(findings))
        let failures = findings.filter { !$0.isWithinLimit }
        for failure in failures { Lines.put(failure.complaint, to: 2) }
        if !failures.isEmpty { throw ExitCode(1) }
    }
}
