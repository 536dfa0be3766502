#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif
import Synchronization

/// Turns SIGTERM, SIGINT and SIGHUP into calls: the first asks to stop, the second wants to be gone.
///
/// SIGINT and SIGHUP stay ignored where they were at the start: by a shell for what it runs in the background, by nohup.
/// A handler may do next to nothing, so it writes a byte into a pipe, and a thread of its own reads it: a second signal
/// is then heard even when every other thread is stuck. Handlers, unlike ignored signals and masks, are not inherited
/// by child processes.
enum StopSignals {
    /// The end of the pipe that the handler writes to; -1 before there is one.
    private static let pipeEnd = Atomic<Int32>(-1)

    /// Begins to listen. To be called once, outside of any actor, since C callbacks belong to none.
    ///
    /// - Parameters:
    ///   - first: called on the listening thread; must not block.
    ///   - second: called there; does not return to anything that matters.
    nonisolated static func listen(first: @escaping @Sendable () -> Void, second: @escaping @Sendable () -> Void) throws
    {
        var ends: (Int32, Int32) = (-1, -1)
        let made = unsafe withUnsafeMutablePointer(to: &ends) { ends in
            unsafe ends.withMemoryRebound(to: Int32.self, capacity: 2) { unsafe pipe($0) }
        }
        guard made == 0 else {
            throw Unreadable("cannot make a pipe for signals: \(unsafe String(cString: strerror(errno)))")
        }
        // A child that held an end would keep nothing from working, but has no use for it.
        for end in [ends.0, ends.1] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        pipeEnd.store(ends.1, ordering: .sequentiallyConsistent)

        let listener = unsafe Unmanaged.passRetained(Listener(descriptor: ends.0, first: first, second: second))
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
            throw Unreadable("cannot start a thread for signals: \(unsafe String(cString: strerror(started)))")
        }
        pthread_detach(thread)
        for number in [SIGTERM, SIGINT, SIGHUP] where number == SIGTERM || !isIgnored(number) {
            var action = sigaction()
            unsafe action.__sigaction_handler.sa_handler = { number in StopSignals.handle(number) }
            action.sa_flags = SA_RESTART
            _ = unsafe sigaction(number, &action, nil)
        }
    }

    private nonisolated static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        guard unsafe sigaction(number, nil, &action) == 0 else { return false }
        // Function pointers cannot be compared in Swift; SIG_IGN is 1 and SIG_DFL is 0.
        return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }

    /// Runs inside a signal handler: only what is async-signal-safe, and `errno` as it was.
    private static func handle(_ number: Int32) {
        let saved = errno
        var byte = UInt8(truncatingIfNeeded: number)
        _ = unsafe write(pipeEnd.load(ordering: .relaxed), &byte, 1)
        errno = saved
    }

    private final class Listener: Sendable {
        let descriptor: Int32
        let first: @Sendable () -> Void
        let second: @Sendable () -> Void

        init(descriptor: Int32, first: @escaping @Sendable () -> Void, second: @escaping @Sendable () -> Void) {
            self.descriptor = descriptor
            self.first = first
            self.second = second
        }

        func run() {
            var requests = StopRequests()
            var byte: UInt8 = 0
            while true {
                let got = unsafe read(descriptor, &byte, 1)
                if got < 0 && errno == EINTR { continue }
                guard got == 1 else { return }
                switch requests.heard(Int32(byte), at: .now) {
                case .stop: first()
                case .end: second()
                case nil: break
                }
            }
        }
    }
}
