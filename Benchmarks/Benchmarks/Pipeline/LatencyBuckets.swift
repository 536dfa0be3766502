/// A histogram as Prometheus has it: how many were at most so long.
struct LatencyBuckets: Sendable {
    /// By bound in seconds, rising, the last one without end.
    var cumulative: [(bound: Double, count: Double)] = []
    var sum = 0.0

    var count: Double { cumulative.last?.count ?? 0 }

    /// Those of several processes that do the same.
    mutating func add(_ other: LatencyBuckets) {
        guard !cumulative.isEmpty else {
            self = other
            return
        }
        for index in cumulative.indices { cumulative[index].count += other.cumulative[index].count }
        sum += other.sum
    }

    /// In seconds, as if those in a bucket lay evenly in it; the highest bound where it lies beyond.
    func quantile(_ part: Double) -> Double {
        let rank = part * count
        var before = (bound: 0.0, count: 0.0)
        for bucket in cumulative {
            if bucket.count >= rank, bucket.count > before.count {
                guard bucket.bound.isFinite else { return before.bound }
                let within = (rank - before.count) / (bucket.count - before.count)
                return before.bound + (bucket.bound - before.bound) * within
            }
            before = bucket
        }
        return before.bound
    }
}
