package import Metrics

/// A metrics backend that also asks for values at the moment it is read.
///
/// What another part already keeps (a connection's state, the process's memory) is not copied into a metric at every
/// change; the backend calls back when it needs the number. A backend that pushes would call on its own schedule.
package protocol CollectingMetricsFactory: MetricsFactory {
    /// Shows what `read` says whenever the metric is read.
    ///
    /// Several readers of one metric and the same labels are added up. A reader that answers nil is left out; where all
    /// do, the metric is not shown. `read` is called on any thread, must not block, and lives as long as the backend.
    func collect(_ metric: MetricDescription, labels: [(String, String)], read: @escaping @Sendable () -> Double?)
}

extension CollectingMetricsFactory {
    func collect(_ metric: MetricDescription, read: @escaping @Sendable () -> Double?) {
        collect(metric, labels: [], read: read)
    }
}

// The swift-metrics types, made from a description rather than from a string that could be mistyped.

extension Counter {
    convenience init(_ metric: MetricDescription, _ labels: [(String, String)] = [], _ factory: any MetricsFactory) {
        self.init(label: metric.name, dimensions: labels, factory: factory)
    }
}

extension FloatingPointCounter {
    convenience init(_ metric: MetricDescription, _ labels: [(String, String)] = [], _ factory: any MetricsFactory) {
        self.init(label: metric.name, dimensions: labels, factory: factory)
    }
}

extension Meter {
    convenience init(_ metric: MetricDescription, _ labels: [(String, String)] = [], _ factory: any MetricsFactory) {
        self.init(label: metric.name, dimensions: labels, factory: factory)
    }
}

extension Metrics.Timer {
    convenience init(_ metric: MetricDescription, _ labels: [(String, String)] = [], _ factory: any MetricsFactory) {
        self.init(label: metric.name, dimensions: labels, factory: factory)
    }

    /// Records a duration; a negative one, as two machines' clocks can make it, counts as zero.
    func observe(_ duration: Duration) {
        recordNanoseconds(duration.clampedNanoseconds)
    }
}

extension Duration {
    var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }

    /// Whole nanoseconds, from 0 to what an `Int64` holds.
    var clampedNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return .max }
        let (sum, carried) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carried ? .max : sum
    }
}
