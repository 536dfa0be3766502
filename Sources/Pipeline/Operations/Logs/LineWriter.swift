import ActorBus
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Writes whole lines to a file descriptor, from any thread.
///
/// Logging must not bring a service down or hold it up: a reader that is gone or does not read costs lines, never the
/// process, and the lines that were lost are counted. The descriptor is borrowed, not closed.
package final class LineWriter: Sendable {
    private struct State: Sendable {
        var lost: UInt64 = 0
        /// A line was cut off in the middle, so the next one starts on a line of its own.
        var isMidLine = false
        /// The reader was waited for in vain and is not again until it reads.
        var isStalled = false
    }

    /// What becomes of lines while nobody reads.
    package enum Haste: Sendable {
        /// They are lost, after a second: what a log does.
        case loses
        /// They wait: what data do.
        case waits
    }

    /// How long a reader that does not read is waited for, in milliseconds.
    private static let patience: Int32 = 1_000
    /// What a pipe has room for when it is said to be writable (POSIX, PIPE_BUF).
    private static let surelyTaken = 4_096

    /// Ignored for the whole process and once: its default would end the process when the reader of the logs goes away.
    private static let ignoreBrokenPipes: Void = {
        _ = signal(SIGPIPE, SIG_IGN)
    }()

    private let descriptor: Int32
    /// A terminal of our own to write to: only so can a write to one be kept from blocking, and the descriptor itself is
    /// shared with other processes, which would not expect that.
    private let terminal: Int32
    private let haste: Haste
    private let state = Lock(State())

    /// - Parameters:
    ///   - descriptor: where lines go; standard error by default.
    ///   - haste: what becomes of lines while nobody reads.
    package init(descriptor: Int32 = 2, while haste: Haste = .loses) {
        self.descriptor = descriptor
        self.haste = haste
        terminal =
            haste == .loses && isatty(descriptor) == 1
            ? unsafe open("/proc/self/fd/\(descriptor)", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1
        Self.ignoreBrokenPipes
    }

    deinit {
        if terminal >= 0 { close(terminal) }
    }

    /// The number of lines that could not be written whole.
    package var lostLines: UInt64 {
        state.withLock { $0.lost }
    }

    /// Writes a line.
    ///
    /// - Parameter line: its bytes, the line break included.
    package func write(_ line: [UInt8]) {
        state.withLock { state in
            let bytes = state.isMidLine ? [UInt8(ascii: "\n")] + line : line
            let written = writeAll(bytes, patience: state.isStalled ? 0 : Self.patience)
            state.isStalled = written.isStalled
            if written.count == bytes.count {
                state.isMidLine = false
            } else {
                state.lost += 1
                if written.count > 0 { state.isMidLine = true }
            }
        }
    }

    /// Writes as much as it can and says how much that was, and whether nobody reads.
    private func writeAll(_ bytes: [UInt8], patience: Int32) -> (count: Int, isStalled: Bool) {
        let target = terminal >= 0 ? terminal : descriptor
        return unsafe bytes.withUnsafeBytes { buffer in
            var written = 0
            while written < buffer.count {
                if haste == .loses, !Self.isWritable(target, within: patience) { return (written, true) }
                let length = haste == .loses ? min(buffer.count - written, Self.surelyTaken) : buffer.count - written
                let count = unsafe systemWrite(target, buffer.baseAddress! + written, length)
                if count >= 0 {
                    written += count
                } else if errno == EAGAIN || errno == EWOULDBLOCK {
                    // Less room than was to be written, or a descriptor that does not block where data are to wait.
                    let patience = haste == .loses ? patience : -1
                    guard Self.isWritable(target, within: patience) else { return (written, true) }
                } else if errno != EINTR {
                    return (written, false)
                }
            }
            return (written, false)
        }
    }

    /// Whether something can be written, or the attempt will say why not.
    private static func isWritable(_ descriptor: Int32, within milliseconds: Int32) -> Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        while true {
            let count = unsafe poll(&waiting, 1, milliseconds)
            if count < 0, errno == EINTR { continue }
            return count != 0
        }
    }
}

/// `write` of the system, which the method of the same name hides.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    unsafe write(descriptor, bytes, count)
}
