import ActorBus
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Writes the lines of a log to a file descriptor, from any thread, on a thread of its own.
///
/// Logging must not bring a service down or hold it up, whoever reads or does not: lines wait in a bounded buffer, and
/// those that find no room there, or nobody to be written to, are lost and counted. The descriptor is borrowed, not
/// closed.
package final class LineWriter: Sendable {
    /// The one for standard error, which all of a process write to, so that their lines do not mix.
    package static let standardError = LineWriter(descriptor: 2)

    private struct State: Sendable {
        /// Lines that the thread has yet to take.
        var backlog: [UInt8] = []
        /// What the thread has taken and not written, in bytes.
        var underWay = 0
        /// Whether the thread is at work, or has been told.
        var isWriting = false
        var lost: UInt64 = 0
        /// How many found no room since the last one that did.
        var gap: UInt64 = 0
        /// A line was cut off in the middle, so the next one starts on a line of its own.
        var isMidLine = false
    }

    /// The most that waits to be written, in bytes.
    package static let largestBacklog = 1 << 20
    /// What a pipe takes in one piece (POSIX, PIPE_BUF), so that lines of several processes do not mix in it.
    private static let takenWhole = 4_096

    private let descriptor: LineDescriptor
    /// Nil where the system has no thread to give: then whoever logs waits for the reader.
    private let thread: BlockingThread?
    private let state = Lock(State())

    package init(descriptor: Int32) {
        self.descriptor = LineDescriptor(descriptor)
        thread = try? BlockingThread(name: "log")
    }

    /// The number of lines that were not written whole, and will not be.
    package var lostLines: UInt64 { state.withLock { $0.lost } }

    /// Leaves a line to be written.
    ///
    /// - Parameters:
    ///   - line: its bytes, the line break included.
    ///   - notice: a line that tells of so many that are missing before this one; nil leaves it to the next one.
    package func write(_ line: [UInt8], afterGap notice: ((UInt64) -> [UInt8])? = nil) {
        let mustStart = state.withLock { state in
            var bytes = line
            if state.gap > 0, let notice { bytes = notice(state.gap) + line }
            guard state.backlog.count + state.underWay + bytes.count <= Self.largestBacklog else {
                state.lost += 1
                state.gap += 1
                return false
            }
            if notice != nil { state.gap = 0 }
            state.backlog += bytes
            defer { state.isWriting = true }
            return !state.isWriting
        }
        guard mustStart else { return }
        if let thread {
            Task(executorPreference: thread) { self.drain() }
        } else {
            drain()
        }
    }

    /// Counts a line that its owner had to give up.
    package func lose() {
        state.withLock { state in
            state.lost += 1
            state.gap += 1
        }
    }

    /// Waits until all is written: before the process ends, or writes where the same reader reads. Blocks the calling
    /// thread; gives up when the reader takes nothing for `patience`, and after ten times that.
    package func flush(patience: Duration = .seconds(1)) {
        let began = ContinuousClock.now
        var last = (left: Int.max, since: began)
        while true {
            let left = state.withLock { $0.isWriting ? max($0.backlog.count + $0.underWay, 1) : 0 }
            let now = ContinuousClock.now
            if left != last.left { last = (left, now) }
            if left == 0 || now - last.since > patience || now - began > patience * 10 { return }
            usleep(1_000)
        }
    }

    // MARK: The thread's side

    private func drain() {
        while case let batch = takeBacklog(), !batch.isEmpty {
            var rest = batch[...]
            while !rest.isEmpty {
                let lines = rest.prefix(Self.wholeLines(of: rest))
                write(lines)
                rest = rest.dropFirst(lines.count)
            }
        }
    }

    private func takeBacklog() -> [UInt8] {
        state.withLock { state in
            let batch = state.backlog
            state.backlog = []
            state.underWay = batch.count
            state.isWriting = !batch.isEmpty
            return batch
        }
    }

    /// The length of as many lines as are taken in one piece, or of one that is longer.
    private static func wholeLines(of bytes: ArraySlice<UInt8>) -> Int {
        guard bytes.count > takenWhole else { return bytes.count }
        let lineBreak = UInt8(ascii: "\n")
        let last = bytes.prefix(takenWhole).lastIndex(of: lineBreak) ?? bytes.firstIndex(of: lineBreak)
        return last.map { $0 + 1 - bytes.startIndex } ?? bytes.count
    }

    private func write(_ lines: ArraySlice<UInt8>) {
        let lineBreak = UInt8(ascii: "\n")
        let isMidLine = state.withLock { $0.isMidLine }
        if isMidLine, descriptor.write([lineBreak]) == 1 { state.withLock { $0.isMidLine = false } }
        let count = descriptor.write(lines)
        state.withLock { state in
            state.underWay -= lines.count
            guard count < lines.count else { return }
            state.lost += UInt64(lines.dropFirst(count).count { $0 == lineBreak })
            if count > 0 { state.isMidLine = lines[lines.startIndex + count - 1] != lineBreak }
        }
    }
}
