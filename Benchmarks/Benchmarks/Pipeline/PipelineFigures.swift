extension Figure {
    static let orderRate = Figure(key: "orders_per_second", heading: "orders/s", better: .higher, digits: 0)
    static let orderCPU = Figure(key: "order_cpu_us", heading: "CPU µs/order", better: .lower, digits: 0)
    static let orderBrokerCPU = Figure(key: "order_broker_cpu_us", heading: "broker", better: .lower, digits: 0)
    static let meanLatency = Figure(key: "latency_mean_ms", heading: "mean ms", better: .lower, digits: 1)
    static let medianLatency = Figure(key: "latency_p50_ms", heading: "p50 ms", better: .lower, digits: 1)
    static let highLatency = Figure(key: "latency_p99_ms", heading: "p99 ms", better: .lower, digits: 1)

    /// Of all processes of a role together.
    static func cpu(of role: PipelineRole) -> Figure {
        Figure(key: "\(role.rawValue)_cpu_us", heading: role.rawValue, better: .lower, digits: 0)
    }

    static let pipeline: [Figure] =
        [.orderRate, .orderCPU] + PipelineRole.services.map(Figure.cpu) + [.orderBrokerCPU]
    static let pipelineLatency: [Figure] = [.meanLatency, .medianLatency, .highLatency]
}

extension LatencyBuckets {
    var figures: [Figure: Double] {
        guard count > 0 else { return [:] }
        return [
            .meanLatency: sum / count * 1e3, .medianLatency: quantile(0.5) * 1e3, .highLatency: quantile(0.99) * 1e3,
        ]
    }
}
