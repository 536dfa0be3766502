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

    package init(isTerminal: Bool, hasColors: Bool) {
        self.isTerminal = isTerminal
        self.hasColors = hasColors
    }

    /// Asks the system.
    ///
    /// There are no colours with `NO_COLOR` set to anything (<https://no-color.org>) or with `TERM=dumb`.
    /// - Parameters:
    ///   - descriptor: for example 2, standard error.
    ///   - environment: the value of a variable; by default the process's own.
    package init(descriptor: Int32, environment: (String) -> String? = { SystemEnvironment.value(of: $0) }) {
        isTerminal = isatty(descriptor) == 1
        let refused = environment("NO_COLOR")?.isEmpty == false || environment("TERM") == "dumb"
        hasColors = isTerminal && !refused
    }
}
