import Subprocess
import Synchronization

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// The running guard: starts and ends the processes of one broker, and knows which of them run.
///
/// Lives until ``end(grace:within:)`` or ``endBlocking()``, or until its last reference is dropped, which ends the
/// broker as well.
final class Guard: Sendable {
    /// How long nodes whose data is kept get to end in order when this process is gone.
    private static let orphanGraceSeconds = 3

    private struct State {
        var guardProcess: Int32?
        var processes: [String: Int32] = [:]
        var exits: [String: Int] = [:]
        /// Asked to end; what exits from now on was told to.
        var ending = false
        var ended = false
        var failure: String?
        var watchers: [UInt64: AsyncStream<Void>.Continuation] = [:]
        var nextWatcher: UInt64 = 0
    }

    /// Shared with the task that watches the guard, which must not keep the guard itself alive.
    private final class Shared: Sendable {
        let state = Mutex(State())

        /// Changes the state and tells those who watch it.
        func change(_ body: (inout State) -> Void) {
            let watchers = state.withLock { state in
                body(&state)
                return Array(state.watchers.values)
            }
            for watcher in watchers { watcher.yield() }
        }
    }

    private let shared = Shared()
    private let commands: AsyncStream<String>.Continuation
    /// What marks this broker's processes in their environment, as a variable.
    let mark: (name: String, value: String)

    /// Starts the guard in a session of its own, so that a Ctrl-C on this process's terminal does not reach the broker.
    /// - Parameter lock: the data folder's locked lock file; it is closed here, and the guard keeps its copy.
    init(folder: String, removesFolder: Bool, searchPath: String, lock: FileDescriptor) {
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        commands = continuation
        // With a last letter, so that it is not the beginning of another broker's.
        mark = (brokerMarkVariable, "\(UInt64.random(in: 0 ... .max)).")
        var options = PlatformOptions()
        options.createSession = true
        let configuration = Configuration(
            executable: .name("sh"),
            arguments: [
                "-c", guardScript, "local-broker-guard", folder, removesFolder ? "remove" : "keep",
                "\(Self.orphanGraceSeconds)", mark.value,
            ],
            // Nothing of ours is inherited: a stray RABBITMQ_ or ERL_ variable would change the node.
            environment: .custom(["PATH": searchPath, "HOME": folder, "LC_ALL": Self.locale]),
            platformOptions: options)
        Task { [shared] in
            await Self.run(configuration, lock: lock, commands: stream, shared: shared)
        }
    }

    deinit {
        commands.finish()
    }

    /// Starts `launch-NAME`.
    func start(_ name: String) {
        shared.state.withLock { $0.exits[name] = nil }
        commands.yield("start \(name)")
    }

    /// The process that `launch-NAME` became, while it runs.
    func process(_ name: String) -> Int32? {
        shared.state.withLock { $0.processes[name] }
    }

    /// The status a process exited with since it was last started; nil while it runs or is yet to start.
    func exitStatus(_ name: String) -> Int? {
        shared.state.withLock { $0.exits[name] }
    }

    /// Waits for the end of a process and returns its exit status, at once if it has not been started again since.
    ///
    /// Nil when the broker ends first, whoever ended it; throws `CancellationError` only.
    func exit(of name: String) async throws -> Int? {
        let (changes, tell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let key = shared.state.withLock { state in
            state.nextWatcher += 1
            state.watchers[state.nextWatcher] = tell
            return state.nextWatcher
        }
        defer { shared.state.withLock { $0.watchers[key] = nil } }
        tell.yield()
        for await _ in changes {
            let (status, isOver) = shared.state.withLock { ($0.exits[name], $0.ending || $0.ended) }
            if isOver { return nil }
            if let status { return status }
        }
        throw CancellationError()
    }

    /// Whether the broker is gone, or was told to end.
    var isEnding: Bool {
        shared.state.withLock { $0.ending || $0.ended }
    }

    /// Whether the guard, and so the broker, is gone.
    private var hasEnded: Bool {
        shared.state.withLock { $0.ended }
    }

    /// Why the guard could not run, if it could not.
    var failure: String? {
        shared.state.withLock { $0.failure }
    }

    /// Ends everything and returns when all of it is gone; may be called again.
    /// - Parameter grace: how long nodes whose data is kept get to end in order.
    func end(grace: Duration) async {
        shared.change { $0.ending = true }
        commands.yield("stop \(grace.components.seconds)")
        commands.finish()
        // Not cancellable: whoever was cancelled still has to leave nothing behind.
        let shared = shared
        await Task {
            let deadline = ContinuousClock.now + grace + .seconds(10)
            while !shared.state.withLock({ $0.ended }) {
                if ContinuousClock.now >= deadline { return Self.killAll(shared) }
                try? await Task.sleep(for: .milliseconds(10))
            }
        }.value
    }

    /// Ends everything while blocking the calling thread, a few seconds at most.
    func endBlocking() {
        shared.change { $0.ending = true }
        guard let process = shared.state.withLock({ $0.ended ? nil : $0.guardProcess }) else { return }
        Posix.send(Posix.terminateSignal, to: process)
        for _ in 0..<1000 where Posix.isAlive(process) && !hasEnded {
            Posix.pause(milliseconds: 10)
        }
    }

    // MARK: -

    #if canImport(Darwin)
        private static let locale = "en_US.UTF-8"
    #else
        private static let locale = "C.UTF-8"
    #endif

    private static func run(
        _ configuration: Configuration, lock: FileDescriptor, commands: AsyncStream<String>, shared: Shared
    ) async {
        var failure: String?
        do {
            let result = try await Subprocess.run(
                configuration, input: .inputWriter, output: .sequence,
                error: .fileDescriptor(lock, closeAfterSpawningProcess: true)
            ) { execution in
                shared.state.withLock { $0.guardProcess = execution.processIdentifier.value }
                let writer = execution.standardInputWriter
                let writing = Task {
                    for await command in commands {
                        _ = try await writer.write(command + "\n")
                    }
                    try await writer.finish()
                }
                defer { writing.cancel() }
                for try await line in execution.standardOutput.strings() {
                    note(line, in: shared)
                }
            }
            if !result.terminationStatus.isSuccess {
                failure = "the broker's guard ended: \(result.terminationStatus)"
            }
        } catch {
            failure = "the broker's guard failed: \(error)"
        }
        if failure != nil { killAll(shared) }
        shared.change {
            $0.failure = failure
            $0.ended = true
        }
    }

    private static func note(_ line: String, in shared: Shared) {
        let words = line.split(separator: " ").map(String.init)
        guard words.count == 3, let number = Int(words[2]) else { return }
        shared.change { state in
            switch words[0] {
            case "started":
                state.processes[words[1]] = Int32(truncatingIfNeeded: number)
            case "exited":
                state.processes[words[1]] = nil
                state.exits[words[1]] = number
            default:
                break
            }
        }
    }

    /// For a guard that somebody else killed, or that hangs.
    private static func killAll(_ shared: Shared) {
        for process in shared.state.withLock({ Array($0.processes.values) }) {
            Posix.send(Posix.killSignal, to: process)
        }
    }
}
