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
            (try await measure(ClientRun(broker: broker)), broker.version)
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

    private func measure(_ client: ClientRun) async throws -> [Report.Group] {
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
                    for (contender, figures) in try await idle(scenario, run: run, client) {
                        series[index].add(figures, of: contender)
                    }
                    run += contenders.count
                    continue
                }
                for contender in order(in: round) {
                    run += 1
                    progress.step("round \(round + 1): \(scenario.key), \(contender.name)")
                    series[index].add(try await client.time(contender, scenario, run: run), of: contender.name)
                }
            }
        }
        for scenario in counted {
            guard let index = scenarios.firstIndex(where: { $0.key == scenario.key }) else { continue }
            for contender in contenders {
                run += 1
                progress.step("system calls: \(scenario.key), \(contender.name)")
                let part = scenario.divided(by: systemCallDivisor)
                let calls = try await client.countSystemCalls(contender, part, run: run)
                series[index].add([.systemCalls: calls], of: contender.name)
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
        _ scenario: Scenario, run: Int, _ client: ClientRun
    ) async throws -> [(contender: String, figures: [Figure: Double])] {
        try await withThrowingTaskGroup { group in
            for (index, contender) in contenders.enumerated() {
                group.addTask {
                    (contender.name, try await client.time(contender, scenario, run: run + index + 1))
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

    private static let notes = [
        "A figure is the median of the runs, ±half the way from the lowest to the highest, and its ratio to rabbitmq-c.",
        "Every client: persistent messages, durable classic queues, an acknowledgment for each delivery.",
        "ActorBus publishes with confirms only: in \"publish\" one task sends, with at most 1000 messages unconfirmed, and",
        "  has all confirms at the end, where the others await nothing but one round trip; in \"confirm-1000\" each of 1000",
        "  tasks awaits its own messages' confirms.",
        "actorbus-thread: ActorBus with its tasks on their connection's thread, which suits tasks that never block.",
        "In \"latency\" every client awaits the confirm as well, outside the sample.",
        "syscalls/msg: from a run of its own under strace, which slows a client and so may change how it batches.",
        "broker µs/msg: the broker's CPU time, read in steps of 10 ms over a whole run.",
    ]
}
