import FoundationEssentials

/// One contender with one load on an otherwise idle broker, from start to end, checked.
struct PipelineRun: Sendable {
    struct Outcome: Sendable {
        var figures: [Figure: Double]
        /// From an order to its effect in a service; empty for `all`.
        var latencies: [PipelineRole: LatencyBuckets]
    }

    let broker: PipelineBroker
    let programs: PipelinePrograms
    let contender: PipelineContender
    let load: PipelineLoad
    /// Of this run alone.
    let number: Int

    private static let patience = Duration.seconds(120)
    /// Long enough to be no load itself.
    private static let pollInterval = Duration.milliseconds(20)

    func run() async throws -> Outcome {
        try await wait("the consumers of the last run to be gone") { try await broker.consumers() == 0 }
        guard try await broker.messages() == 0 else { throw BenchmarkError("the last run left messages in the queues") }
        return contender.form == .all ? try await runAll() : try await runServices()
    }

    // MARK: A process each

    private func runServices() async throws -> Outcome {
        var services: [ServiceProcess] = []
        do {
            let consuming: [(PipelineRole, Int)] = [
                (.payment, contender.replicas), (.fulfillment, 1), (.notification, 1),
            ]
            for (role, copies) in consuming {
                for _ in 0..<copies { services.append(try await start(role)) }
            }
            let expected = contender.replicas + 1 + 3
            try await wait("\(expected) consumers") {
                for service in services { try await service.checkIsRunning() }
                return try await broker.consumers() == expected
            }
            return try await measure(services)
        } catch {
            for service in services { await service.kill() }
            throw error
        }
    }

    private func measure(_ services: [ServiceProcess]) async throws -> Outcome {
        let brokerBefore = try broker.cpuSeconds()
        let before = try services.map { try ProcessFigures.cpuSeconds(of: $0.process) }
        let generated = try await generate()
        try await wait("the queues to be empty") { try await broker.messages() == 0 }

        var end = ClockReading.monotonic()
        var counts = PipelineCounts()
        var latencies: [PipelineRole: LatencyBuckets] = [:]
        if contender.form == .separate {
            // Only now, since being asked is work too.
            try await wait("every order's last notification", every: .milliseconds(3)) {
                (counts, latencies) = try Self.read(services)
                end = ClockReading.monotonic()
                return counts.areComplete(load.orders)
            }
        } else {
            // What is not ready may still be in hand.
            try await Task.sleep(for: .milliseconds(200))
            try await wait("the queues to be empty") { try await broker.messages() == 0 }
        }
        var cpu: [PipelineRole: Double] = [.generator: generated.cpu]
        for (service, earlier) in zip(services, before) {
            cpu[service.program.role, default: 0] += try ProcessFigures.cpuSeconds(of: service.process) - earlier
        }
        let brokerCPU = try broker.cpuSeconds() - brokerBefore

        // In the direction of the flow, so that what one had in hand reaches the next.
        var reports: [(PipelineRole, PikaReport)] = []
        for service in services {
            let line = try await service.stop()
            if contender.form == .pika {
                reports.append((service.program.role, try PikaReport(line: line, of: service.program.role)))
            }
        }
        if contender.form == .pika {
            (counts, latencies) = Self.read(reports)
            end = reports.map(\.1.last).max() ?? end
        }
        guard counts.areComplete(load.orders), try await broker.messages() == 0 else {
            throw BenchmarkError("of \(load.orders) orders there came \(counts)")
        }
        return Outcome(
            figures: figures(from: generated.first, to: end, cpu: cpu, brokerCPU: brokerCPU), latencies: latencies)
    }

    /// Runs the generator to its end; when its first order was out, and what it used from then on.
    private func generate() async throws -> (first: Int64, cpu: Double) {
        let generator = try await start(.generator)
        do {
            guard contender.form != .pika else {
                let report = try PikaReport(line: try await generator.end(), of: .generator)
                guard report.counts["orders"] == load.orders else {
                    throw BenchmarkError("pika's generator made \(report.counts) orders, and not \(load.orders)")
                }
                return (report.first, Double(report.cpuNanoseconds) / 1e9)
            }
            let (first, before) = try await firstOrder(of: generator)
            let ended = ClockReading.endedChildrenCPU()
            _ = try await generator.end()
            return (first, ClockReading.endedChildrenCPU() - ended - before)
        } catch {
            await generator.kill()
            throw error
        }
    }

    /// The last moment at which a generator of ours had no order confirmed, and the CPU time it had used until then.
    private func firstOrder(of program: ServiceProcess) async throws -> (Int64, Double) {
        guard let port = program.program.metricsPort else {
            throw BenchmarkError("\(program.program.role) has no port")
        }
        var last = ClockReading.monotonic()
        var cpu = 0.0
        try await wait("the first order", every: .milliseconds(3)) {
            try await program.checkIsRunning()
            let now = ClockReading.monotonic()
            let used = try ProcessFigures.cpuSeconds(of: program.process)
            let made: Int = MetricsPage.fetch(port)?.sum("orders_generated_total") ?? 0
            if made == 0 { (last, cpu) = (now, used) }
            return made > 0
        }
        return (last, cpu)
    }

    // MARK: All in one

    private func runAll() async throws -> Outcome {
        let brokerBefore = try broker.cpuSeconds()
        let ended = ClockReading.endedChildrenCPU()
        let all = try await start(.all)
        do {
            let (first, before) = try await firstOrder(of: all)
            let line = try await all.end()
            let end = ClockReading.monotonic()
            let cpu = ClockReading.endedChildrenCPU() - ended - before
            let brokerCPU = try broker.cpuSeconds() - brokerBefore
            let summary: AllSummary
            do {
                summary = try JSONDecoder().decode(AllSummary.self, from: Data(line.utf8))
            } catch {
                throw BenchmarkError("the last line of all cannot be read: '\(line)'")
            }
            guard summary.isComplete(load.orders), try await broker.messages() == 0 else {
                throw BenchmarkError("of \(load.orders) orders there came \(line)")
            }
            return Outcome(
                figures: figures(from: first, to: end, cpu: [.all: cpu], brokerCPU: brokerCPU), latencies: [:])
        } catch {
            await all.kill()
            throw error
        }
    }

    /// The line that `all` ends with.
    private struct AllSummary: Decodable {
        var orders: Int
        var paid: Int
        var refused: Int
        var shipments: Int
        var notifications: Int

        enum CodingKeys: String, CodingKey {
            case orders, shipments, notifications
            case paid = "payments_success"
            case refused = "payments_failed"
        }

        func isComplete(_ due: Int) -> Bool {
            orders == due && paid + refused == due && shipments == paid
                && notifications == 2 * due + paid
        }
    }

    // MARK: -

    private func start(_ role: PipelineRole) async throws -> ServiceProcess {
        try await ServiceProcess.start(
            try programs.program(role, of: contender, load, broker: broker, run: number))
    }

    private func figures(
        from start: Int64, to end: Int64, cpu: [PipelineRole: Double], brokerCPU: Double
    ) -> [Figure: Double] {
        let orders = Double(load.orders)
        var figures: [Figure: Double] = [
            .orderRate: orders / (Double(end - start) / 1e9), .orderBrokerCPU: brokerCPU * 1e6 / orders,
            .orderCPU: cpu.values.reduce(0, +) * 1e6 / orders,
        ]
        for (role, seconds) in cpu where role != .all { figures[.cpu(of: role)] = seconds * 1e6 / orders }
        return figures
    }

    /// What our services say of themselves.
    private static func read(
        _ services: [ServiceProcess]
    ) throws -> (PipelineCounts, [PipelineRole: LatencyBuckets]) {
        var counts = PipelineCounts()
        var latencies: [PipelineRole: LatencyBuckets] = [:]
        for service in services {
            guard let port = service.program.metricsPort, let page = MetricsPage.fetch(port) else {
                throw BenchmarkError("\(service.program.role) does not show its metrics")
            }
            counts.payments += page.sum("payments_processed_total")
            counts.successes += page.sum("payments_processed_total", label: "status=\"success\"")
            counts.shipments += page.sum("shipments_created_total")
            counts.orderNotices += page.sum("notifications_sent_total", label: "topic=\"orders\"")
            counts.paymentNotices += page.sum("notifications_sent_total", label: "topic=\"payments\"")
            counts.shipmentNotices += page.sum("notifications_sent_total", label: "topic=\"shipments\"")
            latencies[service.program.role, default: LatencyBuckets()].add(page.buckets("pipeline_end_to_end_seconds"))
        }
        return (counts, latencies)
    }

    private static func read(
        _ reports: [(PipelineRole, PikaReport)]
    ) -> (PipelineCounts, [PipelineRole: LatencyBuckets]) {
        var counts = PipelineCounts()
        var latencies: [PipelineRole: LatencyBuckets] = [:]
        for (role, report) in reports {
            switch role {
            case .payment:
                counts.payments += report.counts["orders"] ?? 0
                counts.successes += report.successes
            case .fulfillment: counts.shipments += report.successes
            default:
                counts.orderNotices += report.counts["orders"] ?? 0
                counts.paymentNotices += report.counts["payments"] ?? 0
                counts.shipmentNotices += report.counts["shipments"] ?? 0
            }
            latencies[role, default: LatencyBuckets()].add(report.buckets)
        }
        return (counts, latencies)
    }

    private func wait(
        _ what: String, every interval: Duration = Self.pollInterval,
        until isSo: () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + Self.patience
        while try await !isSo() {
            guard ContinuousClock.now < deadline else {
                throw BenchmarkError("\(contender.name): waited \(Self.patience) for \(what)")
            }
            try await Task.sleep(for: interval)
        }
    }
}
