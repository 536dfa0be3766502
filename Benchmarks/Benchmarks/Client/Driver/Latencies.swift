import FoundationEssentials
import Histogram

/// The percentiles of the latencies that a worker wrote down.
enum Latencies {
    static func read(_ path: String, count: Int) throws -> [Figure: Double] {
        let text = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
        // Three digits, over a range that grows as needed.
        var histogram = Histogram<UInt32>(numberOfSignificantValueDigits: .three)
        for line in text.split(separator: "\n") {
            guard let nanoseconds = UInt64(line), histogram.record(nanoseconds) else {
                throw BenchmarkError("'\(line)' is no latency")
            }
        }
        guard histogram.totalCount == UInt64(count) else {
            throw BenchmarkError("there are \(histogram.totalCount) latencies of \(count) messages")
        }
        let percentiles: [(Figure, Double)] = [
            (.latency50, 50), (.latency90, 90), (.latency99, 99), (.latency999, 99.9),
        ]
        return Dictionary(
            uniqueKeysWithValues: percentiles.map { ($0.0, Double(histogram.valueAtPercentile($0.1)) / 1_000) })
    }
}
