#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What the signals that came so far ask for. Pure: told of signals and times.
struct StopRequests {
    enum Request: Sendable, Equatable {
        /// Finish what is in hand.
        case stop
        /// Be gone.
        case end
    }

    /// Some supervisors signal a process and its group at once, `timeout` among them; that is one request.
    private static let repetition = Duration.milliseconds(50)

    private var isStopping = false
    /// When SIGTERM or SIGINT first came.
    private var asked: ContinuousClock.Instant?

    /// What a signal asks for beyond what was asked for before; nil for nothing.
    ///
    /// When a terminal goes away, kernel, shell and `scripts/run` each tell of it in their own time, with SIGHUP or on
    /// its account. So SIGHUP is never the second signal, nor does it make the next one the second.
    mutating func heard(_ number: Int32, at time: ContinuousClock.Instant) -> Request? {
        if number != SIGHUP {
            if let asked { return asked.duration(to: time) > Self.repetition ? .end : nil }
            asked = time
        }
        defer { isStopping = true }
        return isStopping ? nil : .stop
    }
}
