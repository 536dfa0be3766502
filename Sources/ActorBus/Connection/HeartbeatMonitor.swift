/// When to send a heartbeat, and when a silent peer counts as dead (AMQP 0-9-1 section 4.2.7; RabbitMQ, "Detecting Dead
/// TCP Connections with Heartbeats"). Pure: the time is passed in.
struct HeartbeatMonitor {
    /// What was agreed with the broker; nil when heartbeats are off.
    private let interval: Duration?
    private var lastSent: Instant
    private var lastReceived: Instant

    init(interval: Duration?, now: Instant) {
        self.interval = interval
        lastSent = now
        lastReceived = now
    }

    mutating func sent(at now: Instant) { lastSent = now }
    mutating func received(at now: Instant) { lastReceived = now }

    /// Half the interval after the last write, so that two may be lost before the peer gives up.
    var sendDeadline: Instant? { interval.map { lastSent + $0 / 2 } }

    /// Twice the interval after the last read.
    var silenceDeadline: Instant? { interval.map { lastReceived + $0 * 2 } }

    /// The silence after which the peer counts as dead.
    var patience: Duration? { interval.map { $0 * 2 } }
}
