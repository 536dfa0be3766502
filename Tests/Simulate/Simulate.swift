import ArgumentParser
import Glibc

/// Searches for faults of the client: random users of it against random faults of network and broker, in virtual time. Each
/// seed is a run of its own, and the same seed gives the same run.
@main struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Runs the client against simulated brokers and networks that fail, and checks what must hold.")

    @Option(help: "How many seeds are run.") var seeds: UInt64 = 200
    @Option(help: "The first seed.") var start: UInt64 = 1
    @Option(help: "Begins no further seed after so many seconds.") var seconds: Int64?
    @Option(help: "Runs this seed alone, and prints its whole story.") var replay: UInt64?

    @Option(help: "Takes away from this seed's run whatever can go while it still fails, and prints what is left.")
    var shrink: UInt64?

    func run() throws {
        if let replay { return try tell(replay) }
        if let shrink { return self.shrink(shrink) }
        let clock = ContinuousClock()
        let began = clock.now
        var (failed, virtual): ([UInt64], Duration) = ([], .zero)
        var (published, connections, faults) = (0, 0, 0)
        var count: UInt64 = 0
        for offset in 0..<seeds {
            if let seconds, began.duration(to: clock.now) >= .seconds(seconds) { break }
            count += 1
            let seed = start &+ offset
            let report = Run.of(Scenario(seed: seed))
            virtual += report.elapsed
            published += report.published
            connections += report.connections
            faults += report.faults
            guard !report.findings.isEmpty else { continue }
            failed.append(seed)
            print("seed \(seed): \(report.findings.prefix(3).joined(separator: "\n    "))")
            fflush(nil)
        }
        let took = began.duration(to: clock.now)
        print(
            "\(count) seeds in \(took.formatted): \(virtual.components.seconds) virtual seconds, \(published) messages, "
                + "\(connections) connections, \(faults) faults, \(failed.count) seeds with findings")
        if !failed.isEmpty { throw ExitCode.failure }
    }

    private func shrink(_ seed: UInt64) {
        guard var shrinking = Shrinking(Scenario(seed: seed)) else { return print("seed \(seed) finds nothing") }
        shrinking.run()
        print(shrinking.scenario)
        for line in Run.of(shrinking.scenario, tellsStory: true).story { print(line) }
    }

    private func tell(_ seed: UInt64) throws {
        let report = Run.of(Scenario(seed: seed), tellsStory: true)
        for line in report.story { print(line) }
        print("trace \(String(report.trace, radix: 16)), \(report.findings.count) findings")
        for finding in report.findings { print("    \(finding)") }
        if !report.findings.isEmpty { throw ExitCode.failure }
    }
}

extension Duration {
    fileprivate var formatted: String { "\(components.seconds) s" }
}
