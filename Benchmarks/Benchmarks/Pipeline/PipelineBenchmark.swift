/// Runs the contenders in turn, over and over, against one private broker.
struct PipelineBenchmark: Sendable {
    var programs: PipelinePrograms
    var replicas: [Int]
    var crews: [Crew]
    /// For throughput.
    var orders: Int
    var rounds: Int

    /// Slow enough that nothing waits in a queue, even where Python does the work.
    private static let gentle = PipelineLoad(orders: 300, interval: .milliseconds(15))

    func run() async throws -> Report {
        let started = ReportFile.now()
        var versions = try await programs.versions()
        Progress.say("starting a private broker")
        let (groups, brokerVersion) = try await PipelineBroker.with { broker in
            (try await measure(broker), broker.version)
        }
        versions["broker"] = "RabbitMQ \(brokerVersion)"
        return Report(started: started, machine: .current(), versions: versions, groups: groups, notes: Self.notes)
    }

    private func measure(_ broker: PipelineBroker) async throws -> [Report.Group] {
        let fleets = replicas.map { replicas in
            [PipelineContender(form: .pika, replicas: replicas)]
                + crews.map { PipelineContender(form: .separate, replicas: replicas, crew: $0) }
                + crews.map { PipelineContender(form: .all, replicas: replicas, crew: $0) }
        }
        let calm = [PipelineContender(form: .pika, replicas: 2), PipelineContender(form: .separate, replicas: 2)]
        var throughput = [Series](repeating: Series(), count: fleets.count)
        var latency: [PipelineRole: Series] = [:]
        var progress = Progress(total: rounds * (fleets.joined().count + calm.count))
        var number = 0
        func run(
            _ contender: PipelineContender, _ load: PipelineLoad, round: Int
        ) async throws -> PipelineRun.Outcome {
            number += 1
            let pace = load.interval == nil ? "" : ", calm"
            progress.step("round \(round + 1): payment \(contender.replicas) times, \(contender.name)\(pace)")
            return try await PipelineRun(
                broker: broker, programs: programs, contender: contender, load: load, number: number
            ).run()
        }
        for round in 0..<rounds {
            for (index, fleet) in fleets.enumerated() {
                for contender in fleet {
                    let outcome = try await run(contender, PipelineLoad(orders: orders), round: round)
                    throughput[index].add(outcome.figures, of: contender.name)
                }
            }
            for contender in calm {
                let outcome = try await run(contender, Self.gentle, round: round)
                for (role, buckets) in outcome.latencies {
                    latency[role, default: Series()].add(buckets.figures, of: contender.name)
                }
            }
        }
        let tables = zip(replicas, throughput).map { replicas, series in
            Report.Group(
                key: "payment=\(replicas)", title: "The whole pipeline, no simulated waits, payment \(replicas) times",
                figures: Figure.pipeline, baseline: PipelineContender.baseline, rows: series.rows)
        }
        return tables
            + PipelineRole.services.compactMap { role in
                latency[role].map { series in
                    Report.Group(
                        key: "latency-\(role.rawValue)",
                        title: "From an order to its effect in \(role.rawValue), one order each 15 ms, payment 2 times",
                        figures: Figure.pipelineLatency, baseline: PipelineContender.baseline, rows: series.rows)
                }
            }
    }

    private static let notes = [
        "A figure is the median of the runs, ±half the way from the lowest to the highest, and its ratio to pika.",
        "pika: the same roles on BlockingConnection, a process each, prefetch 1, no confirm, no log, no metrics, no outbox.",
        "Ours: every publish confirmed, every order on disk before it is published, metrics shown, no log line an order.",
        "orders/s: from the first order published to the last notification (of \"all\": to the end of its process).",
        "CPU in µs an order, from the first order on, in steps of 10 ms over the run for consuming services; all",
        "  processes of a service together. The third column is the four together, without the broker.",
        "Latencies come from a histogram, within a bucket as if spread evenly: below 5 ms only the mean is exact.",
        "concurrency 64/256: 64 messages in work at once, with a prefetch of 256, so that the next ones are there.",
        "Goals, to pika: 1.5 times the orders/s at concurrency 1, five times with more; a fifth of the CPU, 0.20x.",
    ]
}
