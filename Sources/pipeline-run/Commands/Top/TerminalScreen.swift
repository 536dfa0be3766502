#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif
import Synchronization

/// The terminal as a canvas: the other screen, no cursor, keys as they are pressed. However the process leaves, the
/// terminal is put back as it was: a return, `exit`, a signal, a crash, and for as long as it is stopped (Ctrl-Z).
///
/// One for the process, since the terminal is one, and a signal handler can reach nothing else.
enum TerminalScreen {
    /// What the terminal tells of.
    enum Event: Sendable, Equatable {
        case key(UInt8)
        /// Another size, or the terminal is ours again: everything is to be drawn anew.
        case changed
    }

    private static let enterSequence: StaticString = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[2J\u{1b}[H"
    private static let leaveSequence: StaticString = "\u{1b}[0m\u{1b}[?25h\u{1b}[?1049l"

    /// How the terminal was; written once, before ``isOurs`` is first set.
    /// On the heap, since Swift sets aside three bytes too few for a global of this C type, which the address sanitizer
    /// found.
    private nonisolated(unsafe) static let original = UnsafeMutablePointer<termios>.allocate(capacity: 1)
    private static let isOurs = Atomic<Bool>(false)
    private static let pipeEnd = Atomic<Int32>(-1)

    /// Runs `body` with the terminal as a canvas; it gets what the terminal tells of.
    ///
    /// Standard output has to be a terminal. Throws ``Unreadable`` where it cannot be taken over.
    static func whileOurs<Value: Sendable>(
        _ body: (AsyncStream<Event>) async throws -> Value
    ) async throws -> Value {
        guard unsafe tcgetattr(1, original) == 0 else {
            throw Unreadable("cannot take over the terminal: \(unsafe String(cString: strerror(errno)))")
        }
        let events = try listen()
        atexit { TerminalScreen.leave() }
        enter()
        defer { leave() }
        return try await body(events)
    }

    /// Columns and lines of the terminal, 80 and 24 where it does not say.
    static var size: (width: Int, height: Int) {
        var size = winsize()
        guard unsafe ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Shows lines in place of what was there. False when the terminal is gone.
    static func draw(_ lines: [String]) -> Bool {
        guard isOurs.load(ordering: .acquiring) else { return true }
        var frame = "\u{1b}[H"
        // No line break after the last, which would scroll a full screen.
        frame += lines.map { $0 + "\u{1b}[K" }.joined(separator: "\r\n")
        frame += "\u{1b}[J"
        return write(Array(frame.utf8))
    }

    // MARK: In and out

    private nonisolated static func enter() {
        var raw = unsafe original.pointee
        raw.c_lflag &= ~tcflag_t(ICANON | ECHO)
        // From the background this stops the process, until it is brought to the front.
        while unsafe tcsetattr(1, TCSADRAIN, &raw) != 0 && errno == EINTR {}
        isOurs.store(true, ordering: .releasing)
        _ = writeStatic(enterSequence)
    }

    /// Puts the terminal back. Only what is async-signal-safe, since a dying process calls it too.
    nonisolated static func leave() {
        guard isOurs.exchange(false, ordering: .acquiringAndReleasing) else { return }
        _ = writeStatic(leaveSequence)
        _ = unsafe tcsetattr(1, TCSADRAIN, original)
    }

    private nonisolated static func writeStatic(_ text: StaticString) -> Bool {
        unsafe Self.write(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private static func write(_ bytes: [UInt8]) -> Bool { unsafe bytes.withUnsafeBytes { unsafe write($0) } }

    private nonisolated static func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var written = 0
        while written < bytes.count {
            #if canImport(Glibc)
                let count = unsafe Glibc.write(1, bytes.baseAddress! + written, bytes.count - written)
            #else
                let count = unsafe Musl.write(1, bytes.baseAddress! + written, bytes.count - written)
            #endif
            if count >= 0 {
                written += count
            } else if errno == EAGAIN {
                var waiting = pollfd(fd: 1, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&waiting, 1, 100)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }

    // MARK: Signals and keys

    /// Signals that end a process where they are not handled: a crash, and Ctrl-\.
    private static let deadly = [SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP]

    /// Begins to listen, on a thread of its own, for keys and signals.
    private nonisolated static func listen() throws -> AsyncStream<Event> {
        var ends: (Int32, Int32) = (-1, -1)
        let made = unsafe withUnsafeMutablePointer(to: &ends) { ends in
            unsafe ends.withMemoryRebound(to: Int32.self, capacity: 2) { unsafe pipe($0) }
        }
        guard made == 0 else {
            throw Unreadable("cannot make a pipe for signals: \(unsafe String(cString: strerror(errno)))")
        }
        pipeEnd.store(ends.1, ordering: .sequentiallyConsistent)
        let (events, tell) = AsyncStream<Event>.makeStream(bufferingPolicy: .bufferingNewest(64))
        let listener = unsafe Unmanaged.passRetained(Listener(descriptor: ends.0, tell: tell))
        var thread = pthread_t()
        let started = unsafe pthread_create(
            &thread, nil,
            { context in
                guard let context = unsafe context else { return nil }
                unsafe Unmanaged<Listener>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, listener.toOpaque())
        guard started == 0 else {
            unsafe listener.release()
            throw Unreadable("cannot start a thread for the terminal: \(unsafe String(cString: strerror(started)))")
        }
        pthread_detach(thread)
        for number in [SIGWINCH, SIGCONT, SIGTSTP] { handle(number) { TerminalScreen.note($0) } }
        for number in deadly {
            handle(number) { number in
                TerminalScreen.leave()
                signal(number, SIG_DFL)
                raise(number)
            }
        }
        return events
    }

    private nonisolated static func handle(_ number: Int32, _ handler: @escaping @convention(c) (Int32) -> Void) {
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = handler
        action.sa_flags = SA_RESTART
        _ = unsafe sigaction(number, &action, nil)
    }

    /// Runs inside a signal handler: only what is async-signal-safe, and `errno` as it was.
    private nonisolated static func note(_ number: Int32) {
        let saved = errno
        var byte = UInt8(truncatingIfNeeded: number)
        #if canImport(Glibc)
            _ = unsafe Glibc.write(pipeEnd.load(ordering: .relaxed), &byte, 1)
        #else
            _ = unsafe Musl.write(pipeEnd.load(ordering: .relaxed), &byte, 1)
        #endif
        errno = saved
    }

    private final class Listener: Sendable {
        let descriptor: Int32
        let tell: AsyncStream<Event>.Continuation

        init(descriptor: Int32, tell: AsyncStream<Event>.Continuation) {
            self.descriptor = descriptor
            self.tell = tell
        }

        func run() {
            // The thread that made this one may have signals blocked; this one has to stop when it is told to.
            var none = sigset_t()
            unsafe sigemptyset(&none)
            unsafe pthread_sigmask(SIG_SETMASK, &none, nil)
            // Keys come from a terminal only; from a file there would be no end of them.
            var keys = isatty(0) == 1
            while true {
                var sources = [
                    pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: keys ? 0 : -1, events: Int16(POLLIN), revents: 0),
                ]
                guard unsafe poll(&sources, 2, -1) >= 0 else {
                    if errno == EINTR { continue }
                    return
                }
                var byte: UInt8 = 0
                if sources[0].revents != 0, unsafe read(descriptor, &byte, 1) == 1 { heard(Int32(byte)) }
                if sources[1].revents != 0 {
                    keys = unsafe read(0, &byte, 1) == 1
                    if keys { tell.yield(.key(byte)) }
                }
            }
        }

        private func heard(_ number: Int32) {
            switch number {
            case SIGTSTP:
                TerminalScreen.leave()
                // The default action stops this thread, and with it the process, before `raise` returns.
                signal(SIGTSTP, SIG_DFL)
                raise(SIGTSTP)
                TerminalScreen.handle(SIGTSTP) { TerminalScreen.note($0) }
                TerminalScreen.enter()
            case SIGCONT:
                // Also after a SIGSTOP, before which nothing could be done.
                TerminalScreen.enter()
            default: break
            }
            tell.yield(.changed)
        }
    }
}
