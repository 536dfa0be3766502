import ActorBus
import ArgumentParser
import Glibc

/// Searches for faults of the pipeline: its four services on a simulated broker, killed and started again at any moment, while
/// network and broker fail, in virtual time. Each seed is a run of its own, and the same seed gives the same run.
@main struct SimulatePipeline: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate-pipeline",
        abstract: "Runs the order pipeline while everything around it fails, and checks what must hold.")

    @Option(help: "How many seeds are run.") var seeds: UInt64 = 200
    @Option(help: "The first seed.") var start: UInt64 = 1
    @Option(help: "Begins no further seed after so many seconds.") var seconds: Int64?
    @Option(help: "How many seeds are run side by side.") var jobs = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    @Option(help: "Runs this seed alone, and prints its whole story.") var replay: UInt64?

    @Option(help: "Takes away from this seed's run whatever can go while it still fails, and prints what is left.")
    var shrink: UInt64?

    func run() async throws {
        if let replay { return try tell(Scenario(seed: replay)) }
        if let shrink { return try self.shrink(shrink) }
        let clock = ContinuousClock()
        let began = clock.now
        var sum = Sum()
        try await withThrowingTaskGroup(of: (seed: UInt64, report: Run.Report).self) { group in
            var next: UInt64 = 0
            func begin() throws {
                if next == seeds || seconds.map({ began.duration(to: clock.now) >= .seconds($0) }) == true { return }
                let seed = start &+ next
                next += 1
                let thread = try BlockingThread(name: "search")
                group.addTask(executorPreference: thread) { (seed, try Run.of(Scenario(seed: seed))) }
            }
            for _ in 0..<jobs { try begin() }
            while let (seed, report) = try await group.next() {
                try begin()
                sum.add(report)
                guard !report.findings.isEmpty else { continue }
                print("seed \(seed): \(report.findings.prefix(3).joined(separator: "\n    "))")
                fflush(nil)
            }
        }
        print(sum.text(after: began.duration(to: clock.now)))
        if sum.failed > 0 { throw ExitCode.failure }
    }

    private func shrink(_ seed: UInt64) throws {
        guard var shrinking = try Shrinking(Scenario(seed: seed)) else { return print("seed \(seed) finds nothing") }
        try shrinking.run()
        try tell(shrinking.scenario)
    }

    private func tell(_ scenario: Scenario) throws {
        print(scenario)
        let report = try Run.of(scenario, tellsStory: true)
        for line in report.story { print(line) }
        print("trace \(String(report.trace, radix: 16)), \(report.findings.count) findings")
        for finding in report.findings { print("    \(finding)") }
        if !report.findings.isEmpty { throw ExitCode.failure }
    }
}

/// What all seeds came to together.
private struct Sum {
    private var seeds = 0
    private var virtual = Duration.zero
    private var orders: Int64 = 0
    private var (faults, kills, connections, duplicates) = (0, 0, 0, 0)
    private(set) var failed = 0

    mutating func add(_ report: Run.Report) {
        seeds += 1
        virtual += report.elapsed
        orders += report.orders
        faults += report.faults
        kills += report.kills
        connections += report.connections
        duplicates += report.duplicates
        if !report.findings.isEmpty { failed += 1 }
    }

    func text(after time: Duration) -> String {
        let seconds = max(1, time.components.seconds)
        return "\(seeds) seeds in \(seconds) s: \(virtual.components.seconds) virtual seconds, \(orders) orders "
            + "(\(orders / seconds) a second), \(faults) faults (\(Int64(faults) / seconds) a second), \(kills) killed "
            + "processes, \(connections) connections, \(duplicates) duplicates, \(failed) seeds with findings"
    }
}
