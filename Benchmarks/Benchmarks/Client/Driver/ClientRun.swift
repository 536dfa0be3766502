/// One contender at one piece of work, with queues of its own, checked.
struct ClientRun: Sendable {
    let broker: BenchBroker

    /// What the work costs, in time and memory.
    func time(
        _ contender: Contender, _ scenario: Scenario, run: Int
    ) async throws -> [Figure: Double] {
        try await withQueues(scenario, run: run) { order in
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

    /// The system calls of the work, a message.
    func countSystemCalls(
        _ contender: Contender, _ scenario: Scenario, run: Int
    ) async throws -> Double {
        try await withQueues(scenario, run: run) { order in
            let calls = try await RivalProcess.run(contender, order) { process in
                try await SystemCallCount.start(process, folder: broker.scratchFolder)
            } whenDone: { _, result, count in
                try check(result, scenario)
                return try await count.total()
            }
            return Double(calls) / Double(scenario.count)
        }
    }

    /// Queues, and a file for latencies, for as long as `body` runs.
    private func withQueues<Found>(
        _ scenario: Scenario, run: Int, _ body: (WorkOrder) async throws -> Found
    ) async throws -> Found {
        var (order, queues) = try await broker.prepare(scenario, run: run)
        if scenario.work == .latency { order.samples = ScratchFile.path("latencies", in: broker.scratchFolder) }
        defer { if scenario.work == .latency { ScratchFile.remove(order.samples) } }
        let found = try await body(order)
        try await broker.finish(scenario, queues: queues)
        return found
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
}
