#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What can be shown on a file descriptor.
package struct TerminalCapabilities: Sendable, Equatable {
    /// A person may be looking: it is a terminal.
    package let isTerminal: Bool
    /// Colours are understood and wanted.
    package let hasColors: Bool
    /// Escape sequences are understood, so that a line can be drawn anew in its place.
    package let redrawsLines: Bool

    package init(isTerminal: Bool, hasColors: Bool, redrawsLines: Bool) {
        self.isTerminal = isTerminal
        self.hasColors = hasColors
        self.redrawsLines = redrawsLines
    }

    /// Asks the system.
    ///
    /// A terminal that does not say in `TERM` what it is, or calls itself `dumb`, gets no escape sequence at all, and
    /// one with `NO_COLOR` set to anything (<https://no-color.org>) gets no colours.
    /// - Parameters:
    ///   - descriptor: for example 2, standard error.
    ///   - environment: the value of a variable; by default the process's own.
    package init(descriptor: Int32, environment: (String) -> String? = { SystemEnvironment.value(of: $0) }) {
        isTerminal = isatty(descriptor) == 1
        let kind = environment("TERM") ?? ""
        redrawsLines = isTerminal && !kind.isEmpty && kind != "dumb"
        hasColors = redrawsLines && environment("NO_COLOR")?.isEmpty != false
    }
}
