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

    fileprivate struct State: Sendable {
        /// Lines that the thread has yet to take.
        var backlog: [UInt8] = []
        /// What the thread has taken and not written, in bytes.
        var underWay = 0
        /// Whether the thread is at work, or has been told.
        var isWriting = false
        var lost: UInt64 = 0
        /// How many found no room since the last one that did, and what tells of them.
        var gap: UInt64 = 0
        var notice: (@Sendable (UInt64) -> [UInt8])?
        /// How often something was written.
        var writes: UInt64 = 0
        /// `writes` when a flush gave up; the next one does at once where nothing was written since.
        var writesAtGivingUp: UInt64?
        /// A line was cut off in the middle, so the next one starts on a line of its own.
        var isMidLine = false
    }

    /// The most that waits to be written, in bytes.
    package static let largestBacklog = 1 << 20
    /// What a pipe takes in one piece (POSIX, PIPE_BUF), so that lines of several processes do not mix in it.
    private static let takenWhole = 4_096

    /// What tells of missing lines where there is no style to do it in.
    package static let plainNotice: @Sendable (UInt64) -> [UInt8] = { Array("… \($0) lines are missing here\n".utf8) }

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
    ///   - notice: a line that tells of so many that are missing where there was no room.
    package func write(_ line: [UInt8], gap notice: @escaping @Sendable (UInt64) -> [UInt8] = plainNotice) {
        put(line) { $0.lose(notice) }
    }

    /// Leaves something to be written that nobody misses where there is no room, such as a line that is drawn again.
    package func writePassing(_ bytes: [UInt8]) { put(bytes) { _ in } }

    private func put(_ line: [UInt8], orElse lose: (inout State) -> Void) {
        let mustStart = state.withLock { state in
            guard state.hasRoom(for: line.count) else {
                lose(&state)
                return false
            }
            // A little above the bound, rather than to have room for the line and none for what stands before it.
            state.backlog += state.takeNotice()
            state.backlog += line
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

    /// Counts a line that its owner had to give up; told of as in `write`.
    package func lose(gap notice: @escaping @Sendable (UInt64) -> [UInt8]) {
        state.withLock { $0.lose(notice) }
    }

    /// Whether a flush gave up, and nothing was written since.
    var isStuck: Bool { state.withLock { $0.isStuck } }

    /// Waits until all is written: before the process ends, or writes where the same reader reads. Blocks the calling
    /// thread; gives up when the reader takes nothing for `patience`, and after three times that.
    package func flush(patience: Duration = .seconds(1)) {
        let began = ContinuousClock.now
        var last = (writes: UInt64.max, since: began)
        // A machine that stands still is no reader that takes nothing, so time alone does not tell.
        var looks = 0
        while true {
            let (isDone, writes) = state.withLock { state in
                (!state.isWriting || state.isStuck, state.writes)
            }
            if isDone { return }
            let now = ContinuousClock.now
            if writes != last.writes {
                last = (writes, now)
                looks = 0
            }
            looks += 1
            if looks > 20, now - last.since > patience || now - began > patience * 3 {
                return state.withLock { $0.writesAtGivingUp = writes }
            }
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
            // Where nothing has come since, it is told now that something is missing.
            let batch = state.backlog.isEmpty ? state.takeNotice() : state.backlog
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
            state.writes += 1
            guard count < lines.count else { return }
            state.lost += UInt64(lines.dropFirst(count).count { $0 == lineBreak })
            if count > 0 { state.isMidLine = lines[lines.startIndex + count - 1] != lineBreak }
        }
    }
}

extension LineWriter.State {
    fileprivate var isStuck: Bool { isWriting && writesAtGivingUp == writes }

    fileprivate func hasRoom(for bytes: Int) -> Bool {
        backlog.count + underWay + bytes <= LineWriter.largestBacklog
    }

    fileprivate mutating func lose(_ notice: @escaping @Sendable (UInt64) -> [UInt8]) {
        lost += 1
        gap += 1
        self.notice = notice
    }

    /// What tells of the lines that are missing here; nothing where none are.
    fileprivate mutating func takeNotice() -> [UInt8] {
        guard gap > 0, let notice else { return [] }
        defer {
            gap = 0
            // It may hold what holds the writer.
            self.notice = nil
        }
        return notice(gap)
    }
}
