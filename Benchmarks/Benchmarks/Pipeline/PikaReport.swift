import FoundationEssentials

/// The line that a pika role ends with.
struct PikaReport: Decodable, Sendable {
    /// How many messages it settled, by the exchange they came from; of the generator, how many it published.
    var counts: [String: Int]
    /// Successful payments, or shipments; else 0.
    var successes: Int
    /// On the monotonic clock, the first and the last effect.
    var first: Int64
    var last: Int64
    /// From the first on.
    var cpuNanoseconds: Int64
    /// Effects by their time since the order, in the buckets of `bounds` and one without end.
    var bounds: [Double]
    var latencies: [Double]
    var latencySum: Double

    enum CodingKeys: String, CodingKey {
        case counts, successes, bounds, latencies
        case first = "first_ns"
        case last = "last_ns"
        case cpuNanoseconds = "cpu_ns"
        case latencySum = "latency_sum"
    }

    init(line: String, of role: PipelineRole) throws {
        do {
            self = try JSONDecoder().decode(PikaReport.self, from: Data(line.utf8))
        } catch {
            throw BenchmarkError("the report of pika's \(role) cannot be read: '\(line)'")
        }
    }

    var buckets: LatencyBuckets {
        var count = 0.0
        let cumulative = zip(bounds + [.infinity], latencies).map { bound, number in
            count += number
            return (bound: bound, count: count)
        }
        return LatencyBuckets(cumulative: cumulative, sum: latencySum)
    }
}
