/// What the runs of one figure came to: the median, and how far they lie apart.
struct Summary: Codable, Sendable, Equatable {
    var median: Double
    var lowest: Double
    var highest: Double
    var runs: Int

    /// Nil when there was no run.
    init?(_ values: [Double]) {
        let sorted = values.sorted()
        guard let lowest = sorted.first, let highest = sorted.last else { return nil }
        let middle = sorted.count / 2
        median = sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
        self.lowest = lowest
        self.highest = highest
        runs = sorted.count
    }

    /// Half the way from the lowest to the highest, as a part of the median.
    var spread: Double { median == 0 ? 0 : (highest - lowest) / 2 / median }
}
