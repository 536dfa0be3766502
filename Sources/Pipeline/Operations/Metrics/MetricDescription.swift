/// What a metric is, said once: its name, what it means, and how it is shown.
package struct MetricDescription: Sendable, Equatable {
    /// How values become lines of text.
    package enum Kind: Sendable, Equatable {
        /// Only grows. With `decimals` above 0 it counts in units of 10^-decimals, exactly.
        case counter(decimals: Int)
        /// Goes up and down.
        case gauge
        /// Observations in buckets; the bounds are upper, inclusive, ascending, without +Inf.
        case histogram(buckets: [Double])

        /// The word of the `TYPE` line.
        var word: String {
            switch self {
            case .counter: "counter"
            case .gauge: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    /// The name in the exposition; the label by which the swift-metrics API asks for it.
    package let name: String
    package let help: String
    package let kind: Kind
    /// The names of its labels, in the order in which they are shown.
    package let labels: [String]

    package static func counter(_ name: String, _ help: String, labels: [String] = [], decimals: Int = 0) -> Self {
        Self(name: name, help: help, kind: .counter(decimals: decimals), labels: labels)
    }

    package static func gauge(_ name: String, _ help: String, labels: [String] = []) -> Self {
        Self(name: name, help: help, kind: .gauge, labels: labels)
    }

    package static func histogram(_ name: String, _ help: String, labels: [String] = [], buckets: [Double]) -> Self {
        Self(name: name, help: help, kind: .histogram(buckets: buckets), labels: labels)
    }
}
