/// What the pipeline is given to do.
struct PipelineLoad: Sendable {
    var orders: Int
    /// From one order to the next; nil for none, the whole load at once.
    var interval: Duration?

    /// In seconds, as flags have it; nil for no wait.
    var seconds: String? { interval.map { Number.text(Double($0.nanoseconds) / 1e9, digits: 3) } }
}
