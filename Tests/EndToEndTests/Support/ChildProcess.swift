import Foundation
import Glibc

/// A process that a test started. Whoever starts it ends it; should the whole test run die, the kernel kills it.
final class ChildProcess: Sendable {
    struct Exit: Sendable, Equatable, CustomStringConvertible {
        /// The exit code, or 128 and the number of the signal that killed it.
        let code: Int32
        let isSignal: Bool

        var description: String { isSignal ? "killed by signal \(code - 128)" : "exit \(code)" }
    }

    let name: String
    let identifier: Int32
    let output: OutputLines
    let errors: OutputLines
    private let input: Int32
    private let hasInput: Lock<Bool>
    private let outcome: OutcomeBox

    /// Starts a program with exactly these variables, in a process group of its own.
    ///
    /// - Parameter standardInput: whether ``send(_:)`` will be used; else it reads nothing.
    static func start(
        _ program: String, _ arguments: [String], environment: [String: String], name: String,
        standardInput: Bool = false
    ) async throws -> ChildProcess {
        try await Spawner.shared.run {
            try ChildProcess(program, arguments, environment, name: name, standardInput: standardInput)
        }
    }

    private init(
        _ program: String, _ arguments: [String], _ environment: [String: String], name: String, standardInput: Bool
    ) throws {
        self.name = name
        var words = [program] + arguments
        // Beside kill -9 of the tests: Ctrl-C reaches them, and not the group that the child has of its own.
        let parentDeath = "/usr/bin/setpriv"
        if FileManager.default.isExecutableFile(atPath: parentDeath) {
            words = [parentDeath, "--pdeathsig", "KILL"] + words
        }
        let (outEnd, errEnd, inEnd) = (try Self.pipe(), try Self.pipe(), try Self.pipe())
        defer { for end in [outEnd.write, errEnd.write, inEnd.read] { close(end) } }
        input = inEnd.write
        if !standardInput { close(inEnd.write) }
        do {
            identifier = try Self.spawn(
                words, environment, streams: [inEnd.read, outEnd.write, errEnd.write])
        } catch {
            for end in [outEnd.read, errEnd.read] { close(end) }
            if standardInput { close(inEnd.write) }
            throw error
        }
        outcome = OutcomeBox(of: identifier)
        output = OutputLines(reading: outEnd.read)
        errors = OutputLines(reading: errEnd.read)
        hasInput = Lock(standardInput)
    }

    var isRunning: Bool { outcome.value == nil }

    /// Sends a signal to this process alone.
    func signal(_ number: Int32) {
        // Once it has ended the number may be another's.
        if isRunning { kill(identifier, number) }
    }

    /// Sends a signal to its whole process group, as a terminal does with Ctrl-C.
    func signalGroup(_ number: Int32) {
        if isRunning { kill(-identifier, number) }
    }

    /// Writes a line to its standard input.
    func send(_ line: String) throws {
        let bytes = Array((line + "\n").utf8)
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe write(input, $0.baseAddress.map { unsafe $0 + sent }, bytes.count - sent)
            }
            guard count > 0 else { throw Overdue("\(name) reads no more of its input: errno \(errno)") }
            sent += count
        }
    }

    func closeInput() {
        let isOpen = hasInput.withLock { open in
            defer { open = false }
            return open
        }
        if isOpen { close(input) }
    }

    /// Waits for its end, and for all of its output.
    func exit(within limit: Duration) async throws -> Exit {
        let exit = try await within(limit, "the end of \(self.report)") { [outcome] in await outcome.wait() }
        try await within(.seconds(5), "the end of the output of \(self.name), which another process holds open") {
            [output, errors] in
            await output.end()
            await errors.end()
        }
        return exit
    }

    /// Ends it whatever it does, and returns when it is gone.
    func end() async {
        closeInput()
        guard isRunning else { return }
        signal(SIGKILL)
        // A process that was stopped or traced ends of SIGKILL too; only the kernel could be late.
        _ = try? await within(.seconds(10), "the end of \(self.name) after SIGKILL") { [outcome] in await outcome.wait()
        }
    }

    /// A line of standard error that holds the text, now or later.
    @discardableResult
    func log(_ text: String, within limit: Duration = .seconds(30), from start: Int = 0) async throws -> String {
        let line = try await within(limit, "'\(text)' of \(self.report)") { [errors] in
            await errors.first(from: start) { $0.contains(text) }
        }
        guard let line else { throw Overdue("the end came before '\(text)': \(report)") }
        return line
    }

    /// A line of standard output that is so, now or later.
    @discardableResult
    func printed(
        within limit: Duration = .seconds(30), from start: Int = 0, _ what: String,
        where isIt: @escaping @Sendable (String) -> Bool
    ) async throws -> String {
        let line = try await within(limit, "\(what), of \(self.report)") { [output] in
            await output.first(from: start, where: isIt)
        }
        guard let line else { throw Overdue("the end came before \(what): \(report)") }
        return line
    }

    /// Its state and the end of what it said, for a failed test.
    var report: String {
        let end = outcome.value.map { "\($0)" } ?? "running"
        let tail = (output.lines.suffix(5).map { "  | \($0)" } + errors.lines.suffix(15).map { "  > \($0)" })
            .joined(separator: "\n")
        return "\(name) (\(end))\n\(tail)"
    }

    private static func pipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard unsafe Glibc.pipe(&ends) == 0 else { throw Overdue("no pipe: errno \(errno)") }
        // Not to be inherited by what other tests start at the same time.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    /// Foundation's `Process` never lets go of what it has started, which the address sanitizer tells of.
    private static func spawn(_ words: [String], _ environment: [String: String], streams: [Int32]) throws -> Int32 {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for (target, stream) in streams.enumerated() {
            unsafe posix_spawn_file_actions_adddup2(&actions, stream, Int32(target))
        }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        let arguments = unsafe words.map { unsafe strdup($0) } + [nil]
        let variables = unsafe environment.map { unsafe strdup("\($0)=\($1)") } + [nil]
        defer { unsafe (arguments + variables).forEach { unsafe free($0) } }
        var identifier: Int32 = 0
        let status = unsafe posix_spawn(&identifier, words[0], &actions, &attributes, arguments, variables)
        guard status == 0 else { throw Overdue("\(words[0]) cannot be started: errno \(status)") }
        return identifier
    }
}

/// How a process ended, for any number of tasks that wait for it.
private final class OutcomeBox: Sendable {
    private let state = Lock<(exit: ChildProcess.Exit?, waiters: [CheckedContinuation<ChildProcess.Exit, Never>])>(
        (nil, []))

    /// Waits for the end of this child on a thread of its own.
    init(of child: Int32) {
        Thread.detachNewThread { [self] in
            var status: Int32 = 0
            while unsafe waitpid(child, &status, 0) < 0, errno == EINTR {}
            // As the macros WIFEXITED, WEXITSTATUS and WTERMSIG have it, which Swift does not see.
            let signal = status & 0x7f
            set(.init(code: signal == 0 ? (status >> 8) & 0xff : 128 + signal, isSignal: signal != 0))
        }
    }

    var value: ChildProcess.Exit? { state.withLock { $0.exit } }

    private func set(_ exit: ChildProcess.Exit) {
        let waiters = state.withLock { state in
            state.exit = exit
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: exit) }
    }

    /// Not cut short by cancellation: every process ends.
    func wait() async -> ChildProcess.Exit {
        await withCheckedContinuation { continuation in
            let exit = state.withLock { state in
                if state.exit == nil { state.waiters.append(continuation) }
                return state.exit
            }
            if let exit { continuation.resume(returning: exit) }
        }
    }
}

/// The thread that starts every process: a child with `--pdeathsig` is killed when the thread ends that started it, and threads of
/// a pool come and go.
private final class Spawner: Sendable {
    static let shared = Spawner()

    private let work = Lock<[@Sendable () -> Void]>([])
    private let due = DispatchSemaphore(value: 0)

    private init() {
        Thread.detachNewThread { [self] in
            while true {
                due.wait()
                work.withLock { $0.removeFirst() }()
            }
        }
    }

    func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        // Through a lock, because the thread sanitizer does not see that a continuation orders what is handed over.
        let result = Lock<Result<Value, any Error>?>(nil)
        await withCheckedContinuation { continuation in
            work.withLock {
                $0.append {
                    let outcome = Result { try body() }
                    result.withLock { $0 = outcome }
                    continuation.resume()
                }
            }
            due.signal()
        }
        return try result.withLock { $0! }.get()
    }
}
