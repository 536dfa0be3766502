#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif
package import Logging

/// Where and how a process logs; makes its loggers.
///
/// Handed around instead of `LoggingSystem.bootstrap`, which can happen only once and would give every service of a
/// process the same name.
package struct LogOutput: Sendable {
    /// The look of a line, decided once.
    enum Style: Sendable, Equatable {
        case json
        case pretty(colors: Bool)
    }

    /// The lowest level that is shown.
    package let level: Logger.Level
    /// Writes the lines; whoever else prints on the same descriptor uses it too.
    package let writer: LineWriter
    let style: Style
    let now: @Sendable () -> Timestamp

    /// - Parameters:
    ///   - terminal: what the descriptor of `writer` can show.
    ///   - now: the time of an event, for tests.
    package init(
        format: LogFormat = .auto,
        level: Logger.Level = .info,
        writer: LineWriter = .standardError,
        terminal: TerminalCapabilities = TerminalCapabilities(descriptor: 2),
        now: @escaping @Sendable () -> Timestamp = LogOutput.wallClock
    ) {
        self.level = level
        self.writer = writer
        self.now = now
        style =
            switch format {
            case .json: .json
            case .pretty: .pretty(colors: terminal.hasColors)
            case .auto: terminal.isTerminal ? .pretty(colors: terminal.hasColors) : .json
            }
    }

    /// A logger whose lines carry `service`.
    package func logger(service: String) -> Logger {
        Logger(label: service) { service in ServiceLogHandler(service: service, output: self) }
    }

    /// The time of day of the system.
    package static func wallClock() -> Timestamp {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(clamping: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
