/// When to send a heartbeat, and when a silent peer counts as dead (AMQP 0-9-1 section 4.2.7; RabbitMQ, "Detecting Dead
/// TCP Connections with Heartbeats"). Pure: the time is passed in.
struct HeartbeatMonitor {
    /// What was agreed with the broker; nil when heartbeats are off.
    private let interval: Duration?
    /// In nanoseconds; 0 when heartbeats are off.
    private let span: Int64
    private var lastSent: Instant
    private var lastReceived: Instant

    init(interval: Duration?, now: Instant) {
        self.interval = interval
        span = interval?.nanoseconds ?? 0
        lastSent = now
        lastReceived = now
    }

    mutating func sent(at now: Instant) { lastSent = now }
    mutating func received(at now: Instant) { lastReceived = now }

    /// Half the interval after the last write, so that two may be lost before the peer gives up.
    var sendDeadline: Instant? { span > 0 ? lastSent.after(span / 2) : nil }

    /// Twice the interval after the last read.
    var silenceDeadline: Instant? { span > 0 ? lastReceived.after(span).after(span) : nil }

    /// The silence after which the peer counts as dead.
    var patience: Duration? { interval.map { $0 * 2 } }
}
