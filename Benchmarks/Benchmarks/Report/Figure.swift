/// Something that is measured, and how it is shown.
struct Figure: Codable, Hashable, Sendable {
    enum Better: String, Codable, Sendable { case higher, lower }

    /// The key in the JSON report; never changes, so that reports stay comparable.
    var key: String
    /// The heading of its column, unit included.
    var heading: String
    /// Which way is better.
    var better: Better
    /// Digits after the decimal point for people.
    var digits: Int
}

extension Figure {
    static let rate = Figure(key: "messages_per_second", heading: "msg/s", better: .higher, digits: 0)
    static let clientCPU = Figure(key: "client_cpu_us", heading: "CPU µs/msg", better: .lower, digits: 2)
    static let systemCalls = Figure(key: "syscalls", heading: "syscalls/msg", better: .lower, digits: 3)
    static let brokerCPU = Figure(key: "broker_cpu_us", heading: "broker µs/msg", better: .lower, digits: 1)
    static let resident = Figure(key: "resident_mb", heading: "resident MB", better: .lower, digits: 1)
    /// RssAnon: what the process has for itself, without mapped files.
    static let privateMemory = Figure(key: "private_mb", heading: "private MB", better: .lower, digits: 2)
    static let latency50 = Figure(key: "latency_p50_us", heading: "p50 µs", better: .lower, digits: 0)
    static let latency90 = Figure(key: "latency_p90_us", heading: "p90 µs", better: .lower, digits: 0)
    static let latency99 = Figure(key: "latency_p99_us", heading: "p99 µs", better: .lower, digits: 0)
    static let latency999 = Figure(key: "latency_p999_us", heading: "p99.9 µs", better: .lower, digits: 0)
    /// Of a process that has nothing to do.
    static let idleCPU = Figure(key: "idle_cpu_ms_per_s", heading: "CPU ms/s", better: .lower, digits: 3)
}
