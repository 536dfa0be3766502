import ArgumentParser

/// Fails when ActorBus needs more system calls for a message than it should.
///
/// Calls, not times: they are the same on a busy machine and in a debug build.
struct GuardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "guard", abstract: "Checks ActorBus' system calls per message against limits, with strace.")

    func run() async throws {
        let all = Contender.all(own: Contender.ownPath)
        guard let deleter = all.first(where: { $0.name == Contender.baseline }), let own = all.first else { return }
        let findings = try await BenchBroker.with(deleter: deleter) { broker in
            let client = ClientRun(broker: broker)
            var findings: [Finding] = []
            for (index, limit) in Limit.all.enumerated() {
                let figures = try await client.countSystemCalls(own, limit.scenario, run: index)
                findings.append(Finding(limit: limit, callsPerMessage: figures[.systemCalls] ?? .infinity))
            }
            return findings
        }
        print(Finding.table(findings))
        let failures = findings.filter { !$0.isWithinLimit }
        for failure in failures { Lines.put(failure.complaint, to: 2) }
        if !failures.isEmpty { throw ExitCode(1) }
    }
}
