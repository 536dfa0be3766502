import FoundationEssentials
import Subprocess

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// A program that runs beside this one until it is stopped, or ends by itself.
struct ServiceProcess: Sendable {
    let program: ServiceProgram
    let process: Int32
    private let tellStop: AsyncStream<Void>.Continuation
    private let running: Task<String, any Error>

    /// For one that does not end: longer than any run takes.
    private static let limit = Duration.seconds(150)
    /// Becomes the program, after leaving behind a reader of its standard input, whose other end this process holds:
    /// however this process ends, the program ends with it.
    private static let launcher = "exec 3<&0 </dev/null; { cat <&3; kill -KILL $$; } >/dev/null 2>&1 & exec \"$@\" 3<&-"

    /// Returns once it is started.
    static func start(_ program: ServiceProgram) async throws -> ServiceProcess {
        let (started, tellStarted) = AsyncThrowingStream.makeStream(of: Int32.self)
        let (stopping, tellStop) = AsyncStream.makeStream(of: Void.self)
        let running = Task {
            do {
                return try await run(program, started: tellStarted, stopping: stopping)
            } catch {
                tellStarted.finish(throwing: error)
                throw error
            }
        }
        for try await process in started {
            return ServiceProcess(program: program, process: process, tellStop: tellStop, running: running)
        }
        throw BenchmarkError("\(program.role) was not started")
    }

    /// Throws why it ended, when it has.
    func checkIsRunning() async throws {
        guard !FileManager.default.fileExists(atPath: "/proc/\(process)") else { return }
        _ = try await end()
        throw BenchmarkError("\(program.role) of \(program.path) ended before its time")
    }

    /// Waits for its end and returns the last line that it wrote to standard output.
    func end() async throws -> String { try await running.value }

    /// Lets it finish what it has in hand.
    func stop() async throws -> String {
        tellStop.finish()
        return try await end()
    }

    /// Ends it at once, and does not mind how.
    func kill() async {
        running.cancel()
        _ = await running.result
    }

    private static func run(
        _ program: ServiceProgram, started: AsyncThrowingStream<Int32, any Error>.Continuation,
        stopping: AsyncStream<Void>
    ) async throws -> String {
        var options = PlatformOptions()
        options.teardownSequence = [.send(signal: .kill, allowedDurationToNextStep: .seconds(1))]
        var environment: [Environment.Key: String?] = [:]
        for (name, value) in program.environment { environment[Environment.Key(stringLiteral: name)] = value }
        let configuration = Configuration(
            executable: .path("/bin/sh"),
            arguments: Arguments(["-c", launcher, "sh", program.path] + program.arguments),
            environment: .inherit.updating(environment), platformOptions: options)
        let errors = try ErrorFile()
        defer { errors.close() }
        do {
            let outcome = try await Subprocess.run(
                configuration, input: .inputWriter, output: .sequence,
                error: .fileDescriptor(errors.descriptor, closeAfterSpawningProcess: false)
            ) { execution in
                started.yield(execution.processIdentifier.value)
                let stopper = Task {
                    for await _ in stopping {}
                    if !Task.isCancelled { try execution.send(signal: .terminate) }
                }
                let watchdog = Task {
                    try await Task.sleep(for: limit)
                    try execution.send(signal: .kill)
                }
                defer {
                    stopper.cancel()
                    watchdog.cancel()
                }
                var last = ""
                for try await line in execution.standardOutput.strings() { last = line }
                try await execution.standardInputWriter.finish()
                return last
            }
            guard outcome.terminationStatus.isSuccess else {
                throw BenchmarkError("it ended with \(outcome.terminationStatus)")
            }
            return outcome.closureResult
        } catch let error where !(error is CancellationError) {
            let said = errors.text()
            throw BenchmarkError("\(program.role) of \(program.path): \(error)\(said.isEmpty ? "" : "\n\(said)")")
        }
    }
}
