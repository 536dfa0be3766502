import ArgumentParser

/// The pipeline from end to end.
struct PipelineCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pipeline",
        abstract: "Measures the whole order pipeline beside the same roles on pika, interleaved.")

    @Option(help: ArgumentHelp("The program that is measured.", valueName: "path"))
    var pipelineRun = ".build/release/pipeline-run"

    @Option(help: ArgumentHelp("How often there is a payment service, several by comma.", valueName: "list"))
    var replicas: String?

    @Option(
        help: ArgumentHelp(
            "Messages in work at once in a service, as in 64, or with a prefetch above that, as in 64/256; several by comma.",
            valueName: "list"))
    var concurrency: String?

    @Option(help: ArgumentHelp("Orders of a run.", valueName: "n"))
    var orders: Int?

    @Option(help: ArgumentHelp("How often each contender runs.", valueName: "n"))
    var rounds: Int?

    @Flag(help: "One round, payment twice, concurrency 1 and 64/256, fewer orders: a look, not a measurement.")
    var quick = false

    @OptionGroup var output: ReportOptions

    func validate() throws {
        guard rounds ?? 1 > 0, orders ?? 1 > 0 else {
            throw ValidationError("--rounds and --orders must be above zero.")
        }
        _ = try numbers(replicas, "--replicas", up: 16)
        _ = try crews()
    }

    func run() async throws {
        let earlier = try output.earlier()
        let benchmark = PipelineBenchmark(
            programs: PipelinePrograms(pipelineRun: pipelineRun),
            replicas: try numbers(replicas, "--replicas", up: 16) ?? (quick ? [2] : [1, 2, 4]),
            crews: try crews(), orders: orders ?? (quick ? 1_000 : 3_000), rounds: rounds ?? (quick ? 1 : 3))
        try output.publish(try await benchmark.run(), earlier: earlier)
    }

    private func crews() throws -> [Crew] {
        try (concurrency ?? (quick ? "1,64/256" : "1,4,16,64,64/256")).split(separator: ",").map { part in
            guard let crew = Crew(part) else {
                throw ValidationError(
                    "--concurrency: '\(part)' is no number from 1 to 1000, nor one with a prefetch of at least that, as 64/256."
                )
            }
            return crew
        }
    }

    private func numbers(_ list: String?, _ flag: String, up highest: Int) throws -> [Int]? {
        try list?.split(separator: ",").map { part in
            guard let number = Int(part), (1...highest).contains(number) else {
                throw ValidationError("\(flag): '\(part)' is no number from 1 to \(highest).")
            }
            return number
        }
    }
}
