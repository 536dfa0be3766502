import ActorBus
import Metrics
import Synchronization

/// One metric with one set of labels, which can write its own lines.
protocol MetricSeries: AnyObject, Sendable {
    func write(to text: inout ExpositionText)
}

/// Counts whole things. An increment is one atomic addition.
final class CounterSeries: MetricSeries, CounterHandler {
    private let series: String
    private let value = Atomic<Int64>(0)

    init(name: String, labels: String) {
        series = name + labels
    }

    /// Adds `amount`; a counter never goes down, so what is not positive is left out.
    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        value.wrappingAdd(amount, ordering: .relaxed)
    }

    func reset() {
        value.store(0, ordering: .relaxed)
    }

    func write(to text: inout ExpositionText) {
        text.appendSample(series, String(value.load(ordering: .relaxed)))
    }
}

/// Counts decimal fractions exactly.
///
/// Each increment is rounded to the metric's decimals (for money: cents) and added as a whole number of these, so a
/// million increments of 0.1 make exactly 100000, which a sum of binary floating point would not. An amount of up to
/// 2^53 units survives the API's `Double` unharmed.
final class FixedPointCounterSeries: MetricSeries, FloatingPointCounterHandler {
    private let series: String
    private let decimals: Int
    private let scale: Double
    private let units = Atomic<Int64>(0)

    init(name: String, labels: String, decimals: Int) {
        series = name + labels
        self.decimals = decimals
        scale = (0..<decimals).reduce(1) { scale, _ in scale * 10 }
    }

    func increment(by amount: Double) {
        let scaled = (amount * scale).rounded()
        // Also false for NaN. The bound keeps the conversion from trapping.
        guard scaled > 0 else { return }
        let added = scaled < 0x1p63 ? Int64(scaled) : .max
        var old = units.load(ordering: .relaxed)
        while true {
            let (sum, overflow) = old.addingReportingOverflow(added)
            let (exchanged, current) = units.weakCompareExchange(
                expected: old, desired: overflow ? .max : sum, ordering: .relaxed)
            if exchanged { return }
            old = current
        }
    }

    func reset() {
        units.store(0, ordering: .relaxed)
    }

    func write(to text: inout ExpositionText) {
        text.appendSample(series, ExpositionText.fixedPoint(units.load(ordering: .relaxed), decimals: decimals))
    }
}

/// Counts fractions as floating point, for counters that no description gives decimals.
final class FloatingPointCounterSeries: MetricSeries, FloatingPointCounterHandler {
    private let series: String
    private let value = Atomic<Double>(0)

    init(name: String, labels: String) {
        series = name + labels
    }

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        value.add(amount)
    }

    func reset() {
        value.store(0, ordering: .relaxed)
    }

    func write(to text: inout ExpositionText) {
        text.appendSample(series, ExpositionText.number(value.load(ordering: .relaxed)))
    }
}

/// A value that goes up and down; also what a recorder that does not aggregate becomes.
final class GaugeSeries: MetricSeries, MeterHandler, RecorderHandler {
    private let series: String
    private let value = Atomic<Double>(0)

    init(name: String, labels: String) {
        series = name + labels
    }

    func set(_ value: Int64) {
        self.value.store(Double(value), ordering: .relaxed)
    }

    func set(_ value: Double) {
        self.value.store(value, ordering: .relaxed)
    }

    func increment(by amount: Double) {
        value.add(amount)
    }

    func decrement(by amount: Double) {
        value.add(-amount)
    }

    func record(_ value: Int64) {
        set(value)
    }

    func record(_ value: Double) {
        set(value)
    }

    func write(to text: inout ExpositionText) {
        text.appendSample(series, ExpositionText.number(value.load(ordering: .relaxed)))
    }
}

/// Observations in buckets. Timers arrive in nanoseconds and are shown in seconds.
final class HistogramSeries: MetricSeries, TimerHandler, RecorderHandler {
    private struct Observed: Sendable {
        /// Observations in each bucket alone; the last one is above every bound.
        var counts: [Int64]
        /// A `Double` as in every Prometheus client: nanoseconds in an `Int64` overflow in days under a large backlog.
        var sum: Double = 0
    }

    private let bounds: [Double]
    private let bucketSeries: [String]
    private let sumSeries: String
    private let countSeries: String
    // A lock rather than atomics: buckets, sum and count of one scrape then belong together.
    private let observed: Lock<Observed>

    init(name: String, labels: [(String, String)], bounds: [Double]) {
        self.bounds = bounds
        bucketSeries = (bounds.map(ExpositionText.bound) + ["+Inf"]).map {
            "\(name)_bucket" + ExpositionText.labels(labels + [("le", $0)])
        }
        let suffix = ExpositionText.labels(labels)
        sumSeries = "\(name)_sum" + suffix
        countSeries = "\(name)_count" + suffix
        observed = Lock(Observed(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    func recordNanoseconds(_ duration: Int64) {
        record(Double(duration) / 1e9)
    }

    func record(_ value: Int64) {
        record(Double(value))
    }

    func record(_ value: Double) {
        // A NaN would make the sum useless from then on.
        guard value.isFinite else { return }
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        observed.withLock {
            $0.counts[bucket] += 1
            $0.sum += value
        }
    }

    func write(to text: inout ExpositionText) {
        let now = observed.withLock { $0 }
        var cumulative: Int64 = 0
        for (series, count) in zip(bucketSeries, now.counts) {
            cumulative += count
            text.appendSample(series, String(cumulative))
        }
        text.appendSample(sumSeries, ExpositionText.number(now.sum))
        text.appendSample(countSeries, String(cumulative))
    }
}

/// Asks its readers at the scrape and shows their sum.
final class CollectedSeries: MetricSeries {
    private let series: String
    private let readers = Lock<[@Sendable () -> Double?]>([])

    init(name: String, labels: String) {
        series = name + labels
    }

    func add(_ read: @escaping @Sendable () -> Double?) {
        readers.withLock { $0.append(read) }
    }

    func write(to text: inout ExpositionText) {
        // The readers run outside the lock: they are foreign code.
        let values = readers.withLock { $0 }.compactMap { $0() }
        guard !values.isEmpty else { return }
        text.appendSample(series, ExpositionText.number(values.reduce(0, +)))
    }
}

extension Atomic where Value == Double {
    fileprivate func add(_ amount: Double) {
        var old = load(ordering: .relaxed)
        while true {
            let (exchanged, current) = weakCompareExchange(expected: old, desired: old + amount, ordering: .relaxed)
            if exchanged { return }
            old = current
        }
    }
}
