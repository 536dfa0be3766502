import FoundationEssentials

/// Runs the contenders in turn, over and over, against one private broker.
struct ClientBenchmark: Sendable {
    var scenarios: [Scenario]
    var contenders: [Contender]
    /// How often each contender does each work.
    var rounds: Int
    /// Whether a further round, not timed, counts system calls.
    var countsSystemCalls: Bool
    /// Counting system calls slows a process down, and a part of the messages tells as much.
    var systemCallDivisor: Int
    /// Makes queues go; need not be among the contenders.
    var deleter: Contender

    func run() async throws -> Report {
        let started = ReportFile.now()
        var versions = try await contenderVersions()
        Progress.say("starting a private broker")
        let (groups, brokerVersion) = try await BenchBroker.with(deleter: deleter) { broker in
            (try await measure(broker), broker.version)
        }
        versions["broker"] = "RabbitMQ \(brokerVersion)"
        return Report(
            started: started, machine: .current(), versions: versions, groups: groups, notes: Self.notes)
    }

    private func contenderVersions() async throws -> [String: String] {
        var versions: [String: String] = [:]
        for contender in contenders {
            guard let arguments = contender.versionArguments else { continue }
            guard FileManager.default.isExecutableFile(atPath: contender.program) else {
                throw BenchmarkError(
                    "there is no \(contender.program) here; run `make bench`, which installs and builds it")
            }
            let nowhere = WorkOrder(.idle, broker: .init(port: 0))
            versions[contender.name] = try await RivalProcess.output(contender, arguments, nowhere)
        }
        return versions
    }

    private func measure(_ broker: BenchBroker) async throws -> [Report.Group] {
        var series = [Series](repeating: Series(), count: scenarios.count)
        let counted = countsSystemCalls ? scenarios.filter { $0.work != .idle } : []
        var progress = Progress(total: (rounds * scenarios.count + counted.count) * contenders.count)
        var run = 0
        for round in 0..<rounds {
            for (index, scenario) in scenarios.enumerated() {
                if scenario.work == .idle {
                    for contender in contenders {
                        progress.step("round \(round + 1): \(scenario.key), \(contender.name)")
                    }
                    for (contender, figures) in try await idle(scenario, run: run, broker) {
                        series[index].add(figures, of: contender)
                    }
                    run += contenders.count
                    continue
                }
                for contender in order(in: round) {
                    run += 1
                    progress.step("round \(round + 1): \(scenario.key), \(contender.name)")
                    series[index].add(try await time(contender, scenario, run: run, broker), of: contender.name)
                }
            }
        }
        for scenario in counted {
            guard let index = scenarios.firstIndex(where: { $0.key == scenario.key }) else { continue }
            for contender in contenders {
                run += 1
                progress.step("system calls: \(scenario.key), \(contender.name)")
                series[index].add(
                    try await countSystemCalls(contender, scenario, run: run, broker), of: contender.name)
            }
        }
        let hasBaseline = contenders.contains { $0.name == Contender.baseline }
        return zip(scenarios, series).map { scenario, series in
            Report.Group(
                key: scenario.key, title: scenario.title, figures: scenario.figures,
                baseline: hasBaseline ? Contender.baseline : nil,
                rows: contenders.compactMap { contender in series.rows.first { $0.contender == contender.name } })
        }
    }

    /// All at once, since those who do nothing are in nobody's way.
    private func idle(
        _ scenario: Scenario, run: Int, _ broker: BenchBroker
    ) async throws -> [(contender: String, figures: [Figure: Double])] {
        try await withThrowingTaskGroup { group in
            for (index, contender) in contenders.enumerated() {
                group.addTask {
                    (contender.name, try await time(contender, scenario, run: run + index + 1, broker))
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    /// Another begins each round, so that none always runs after the same neighbour.
    private func order(in pass: Int) -> [Contender] {
        let first = pass % contenders.count
        return Array(contenders[first...] + contenders[..<first])
    }

    private func time(
        _ contender: Contender, _ scenario: Scenario, run: Int, _ broker: BenchBroker
    ) async throws -> [Figure: Double] {
        try await withQueues(scenario, run: run, broker) { order in
            var figures = try await RivalProcess.run(contender, order) { _ in
                try broker.cpuSeconds()
            } whenDone: { process, result, brokerBefore in
                let brokerCPU = try broker.cpuSeconds() - brokerBefore
                let memory = try ProcessFigures.memory(of: process)
                try check(result, scenario)
                return Self.figures(result, scenario, brokerCPU: brokerCPU, memory: memory)
            }
            if scenario.work == .latency {
                figures.merge(try Latencies.read(order.samples, count: scenario.count)) { $1 }
            }
            return figures
        }
    }

    private func countSystemCalls(
        _ contender: Contender, _ scenario: Scenario, run: Int, _ broker: BenchBroker
    ) async throws -> [Figure: Double] {
        let part = scenario.divided(by: systemCallDivisor)
        return try await withQueues(part, run: run, broker) { order in
            let calls = try await RivalProcess.run(contender, order) { process in
                try await SystemCallCount.start(process, folder: broker.scratchFolder)
            } whenDone: { _, result, count in
                try check(result, part)
                return try await count.total()
            }
            return [.systemCalls: Double(calls) / Double(part.count)]
        }
    }

    /// Queues, and a file for latencies, for as long as `body` runs.
    private func withQueues(
        _ scenario: Scenario, run: Int, _ broker: BenchBroker, _ body: (WorkOrder) async throws -> [Figure: Double]
    ) async throws -> [Figure: Double] {
        var (order, queues) = try await broker.prepare(scenario, run: run)
        if scenario.work == .latency { order.samples = ScratchFile.path("latencies", in: broker.scratchFolder) }
        defer { if scenario.work == .latency { ScratchFile.remove(order.samples) } }
        let figures = try await body(order)
        try await broker.finish(scenario, queues: queues)
        return figures
    }

    /// That the work was done in full.
    private func check(_ result: RivalProcess.Result, _ scenario: Scenario) throws {
        let bytes = Int64(scenario.count) * Int64(scenario.size)
        guard result.count == scenario.count, scenario.work == .idle || result.bytes == bytes else {
            throw BenchmarkError(
                "\(result.count) messages with \(result.bytes) bytes, where \(scenario.count) with \(bytes) were due")
        }
    }

    private static func figures(
        _ result: RivalProcess.Result, _ scenario: Scenario, brokerCPU: Double, memory: ProcessFigures.Memory
    ) -> [Figure: Double] {
        let seconds = Double(result.wallNanoseconds) / 1e9
        if scenario.work == .idle {
            return [
                .resident: memory.residentMB, .privateMemory: memory.privateMB,
                .idleCPU: Double(result.cpuNanoseconds) / 1e6 / seconds,
            ]
        }
        let count = Double(scenario.count)
        return [
            .rate: count / seconds, .clientCPU: Double(result.cpuNanoseconds) / 1e3 / count,
            .brokerCPU: brokerCPU * 1e6 / count, .resident: memory.residentMB, .privateMemory: memory.privateMB,
        ]
    }

    private static let notes = [
        "A figure is the median of the runs, ±half the way from the lowest to the highest, and its ratio to rabbitmq-c.",
        "Every client: persistent messages, durable classic queues, an acknowledgment for each delivery.",
        "ActorBus publishes with confirms only: in \"publish\" each of 1000 tasks awaits its own messages' confirms,",
        "  where the others await nothing but one round trip at the end.",
        "In \"latency\" every client awaits the confirm as well, outside the sample.",
        "syscalls/msg: from a run of its own under strace, which slows a client and so may change how it batches.",
        "broker µs/msg: the broker's CPU time, read in steps of 10 ms over a whole run.",
    ]
}
