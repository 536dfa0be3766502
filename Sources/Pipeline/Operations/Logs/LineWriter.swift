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
/// Logging must not bring a service down or hold it up: lines for a reader that is slow wait in a bounded buffer, those
/// for one that does not read or is gone are lost and counted, and nobody waits. The descriptor is borrowed, not closed.
package final class LineWriter: Sendable {
    private struct State: Sendable {
        var lost: UInt64 = 0
        /// A line was cut off in the middle, so the next one starts on a line of its own.
        var isMidLine = false
        /// What the reader has yet to take: whole lines, but for what it has of the first.
        var backlog: [UInt8] = []
        /// Whether a task writes the backlog.
        var isDraining = false
    }

    /// What becomes of lines while nobody reads.
    package enum Haste: Sendable {
        /// They wait as far as there is room, and the others are lost: what a log does.
        case loses
        /// They wait, and so does who writes them: what data do.
        case waits
    }

    /// What became of an attempt to write.
    private struct Written {
        var count = 0
        /// Whether there is nobody to write to.
        var failed = false
    }

    /// The most that waits for a slow reader, in bytes.
    package static let largestBacklog = 1 << 20
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

    /// The number of lines that were not written whole, and will not be.
    package var lostLines: UInt64 {
        state.withLock { $0.lost }
    }

    /// Writes a line, or leaves it to be written.
    ///
    /// - Parameter line: its bytes, the line break included.
    /// - Returns: false when it is lost.
    @discardableResult
    package func write(_ line: [UInt8]) -> Bool {
        let (isTaken, mustDrain) = state.withLock { state in
            guard state.backlog.isEmpty else {
                // Whole or not at all.
                guard state.backlog.count + line.count <= Self.largestBacklog else {
                    state.lost += 1
                    return (false, false)
                }
                state.backlog += line
                return (true, false)
            }
            let bytes = state.isMidLine ? [UInt8(ascii: "\n")] + line : line
            let written = writeAll(bytes)
            state.isMidLine = written.failed && (state.isMidLine || written.count > 0)
            if written.failed {
                state.lost += 1
                return (false, false)
            }
            guard written.count < bytes.count else { return (true, false) }
            state.backlog = Array(bytes[written.count...])
            defer { state.isDraining = true }
            return (true, !state.isDraining)
        }
        if mustDrain { Task { await drain() } }
        return isTaken
    }

    /// Waits until all is written, for `limit` at the most: before the process ends.
    package func flush(within limit: Duration) {
        let deadline = ContinuousClock.now + limit
        while writeBacklog() != .nothingLeft {
            let (seconds, attoseconds) = (deadline - .now).components
            let milliseconds = seconds * 1_000 + attoseconds / 1_000_000_000_000_000
            guard milliseconds > 0 else { return }
            _ = Self.isWritable(target, within: Int32(clamping: milliseconds))
        }
    }

    /// Writes the backlog as the reader takes it, and looks ever more seldom where it does not.
    private func drain() async {
        let pauses: ClosedRange<Duration> = .milliseconds(5)...(.seconds(1))
        var pause = pauses.lowerBound
        while true {
            switch writeBacklog(endsDraining: true) {
            case .nothingLeft: return
            case .some: pause = pauses.lowerBound
            case .nothing: pause = min(pause * 2, pauses.upperBound)
            }
            // Nobody cancels this task.
            try? await Task.sleep(for: pause)
        }
    }

    private enum Progress {
        case nothing, some, nothingLeft
    }

    private func writeBacklog(endsDraining: Bool = false) -> Progress {
        state.withLock { state in
            let written = writeAll(state.backlog)
            if written.failed {
                state.lost += UInt64(state.backlog.count { $0 == UInt8(ascii: "\n") })
                state.isMidLine = true
                state.backlog = []
            } else {
                state.backlog.removeFirst(written.count)
            }
            guard state.backlog.isEmpty else { return written.count > 0 ? .some : .nothing }
            if endsDraining { state.isDraining = false }
            return .nothingLeft
        }
    }

    /// Writes as much as is taken at once, or all where data wait.
    private func writeAll(_ bytes: [UInt8]) -> Written {
        let target = target
        return unsafe bytes.withUnsafeBytes { buffer in
            var written = Written()
            while written.count < buffer.count {
                if haste == .loses, !Self.isWritable(target, within: 0) { break }
                let rest = buffer.count - written.count
                let length = haste == .loses ? min(rest, Self.surelyTaken) : rest
                let count = unsafe systemWrite(target, buffer.baseAddress! + written.count, length)
                if count >= 0 {
                    written.count += count
                } else if errno == EAGAIN || errno == EWOULDBLOCK {
                    // Less room than was to be written, or a descriptor that does not block where data are to wait.
                    if haste == .loses { break }
                    _ = Self.isWritable(target, within: -1)
                } else if errno != EINTR {
                    written.failed = true
                    break
                }
            }
            return written
        }
    }

    private var target: Int32 { terminal >= 0 ? terminal : descriptor }

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
