/// What a service has said of itself lately, and what follows from it. Pure: told of pages and times.
package struct ServiceHistory: Sendable {
    /// Rates are those of so long.
    private static let window = Duration.seconds(10)

    private struct Look: Sendable {
        let time: Duration
        let total: Double
        let settled: [PipelineQueue: Double]
    }

    package private(set) var kind: ServiceKind?
    private var looks: [Look] = []

    package init() {}

    /// Takes a page in, at a time since any fixed moment.
    package mutating func add(_ page: MetricsPage, at time: Duration) -> FlowSnapshot.Figures {
        kind = Self.kind(of: page)
        let total = kind.map { Self.total(page, of: $0) } ?? 0
        let look = Look(time: time, total: total, settled: Self.settled(page))
        // It has been started anew, and counts from zero again.
        if let last = looks.last, look.total < last.total { looks = [] }
        looks.append(look)
        while looks.count > 2, look.time - looks[1].time >= Self.window { looks.removeFirst() }

        var figures = FlowSnapshot.Figures()
        figures.isConnected = page.sum("pipeline_amqp_connection_up") == 1
        figures.total = total
        figures.median = page.sum(MetricCatalogue.endToEndMedian.name)
        figures.percentile95 = page.sum(MetricCatalogue.endToEndPercentile95.name)
        figures.inFlight = page.sum("pipeline_messages_in_flight") ?? 0
        figures.redelivered = page.sum("pipeline_messages_redelivered_total") ?? 0
        figures.reconnects = page.sum("pipeline_amqp_reconnects_total") ?? 0
        figures.deadLettered = page.sum("pipeline_messages_settled_total", ["outcome": "dead_lettered"]) ?? 0
        figures.memory = page.sum("process_resident_memory_bytes")
        for queue in look.settled.keys {
            figures.work[queue] = FlowSnapshot.Work(settledPerSecond: nil, inFlight: Self.inFlight(page, of: queue))
        }
        if let first = looks.first, look.time > first.time {
            let seconds = (look.time - first.time).inSeconds
            figures.rate = (look.total - first.total) / seconds
            for (queue, settled) in look.settled {
                figures.work[queue]?.settledPerSecond = (settled - (first.settled[queue] ?? 0)) / seconds
            }
        }
        return figures
    }

    /// It does not answer: what comes after cannot be compared with what was.
    package mutating func lose() { looks = [] }

    private static func kind(of page: MetricsPage) -> ServiceKind? {
        ServiceKind.allCases.first { page.has(effects(of: $0)) }
    }

    /// The metric that counts a service's effects.
    private static func effects(of kind: ServiceKind) -> String {
        switch kind {
        case .generator: "orders_generated_total"
        case .payment: "payments_processed_total"
        case .fulfillment: "shipments_created_total"
        case .notification: "notifications_sent_total"
        }
    }

    private static func total(_ page: MetricsPage, of kind: ServiceKind) -> Double { page.sum(effects(of: kind)) ?? 0 }

    /// Of each queue that the service consumes, the messages that it has settled.
    private static func settled(_ page: MetricsPage) -> [PipelineQueue: Double] {
        var settled: [PipelineQueue: Double] = [:]
        for queue in PipelineQueue.allCases {
            settled[queue] = page.sum("pipeline_messages_settled_total", ["queue": queue.rawValue])
        }
        return settled
    }

    private static func inFlight(_ page: MetricsPage, of queue: PipelineQueue) -> Double {
        page.sum("pipeline_messages_in_flight", ["queue": queue.rawValue]) ?? 0
    }
}
