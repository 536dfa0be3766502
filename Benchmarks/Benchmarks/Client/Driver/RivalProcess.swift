import FoundationEssentials
import Subprocess

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// Starts a contender, gives it the word to begin, and takes its result.
enum RivalProcess {
    /// The line that a contender ends its work with.
    struct Result: Decodable, Sendable {
        var count: Int
        var bytes: Int64
        var wallNanoseconds: Int64
        var cpuNanoseconds: Int64

        enum CodingKeys: String, CodingKey {
            case count, bytes
            case wallNanoseconds = "wall_ns"
            case cpuNanoseconds = "cpu_ns"
        }
    }

    /// Runs a contender to its end and returns what `whenDone` found.
    ///
    /// - Parameters:
    ///   - whenReady: called once its set-up is done; it begins when this returns.
    ///   - whenDone: called with its result while the process still stands as it was at the end of its work, and with
    ///     what `whenReady` returned.
    /// - Throws: ``BenchmarkError`` with what it wrote to standard error, when it fails or takes too long.
    static func run<Mark: Sendable, Found: Sendable>(
        _ contender: Contender, _ order: WorkOrder, whenReady: (Int32) async throws -> Mark,
        whenDone: (Int32, Result, Mark) async throws -> Found
    ) async throws -> Found {
        try await launch(contender, contender.arguments, order) { process, input, lines in
            guard try await lines.next() == "ready" else { throw BenchmarkError("it did not become ready") }
            let mark = try await whenReady(process)
            _ = try await input.write("go\n")
            guard let line = try await lines.next() else { throw BenchmarkError("it gave no result") }
            let result: Result
            do {
                result = try JSONDecoder().decode(Result.self, from: Data(line.utf8))
            } catch {
                throw BenchmarkError("its result cannot be read: \(line)")
            }
            return try await whenDone(process, result, mark)
        }
    }

    /// Runs a contender that does its work at once, and returns the first line that it says, if it says any.
    static func output(_ contender: Contender, _ arguments: [String], _ order: WorkOrder) async throws -> String? {
        try await launch(contender, arguments, order) { _, _, lines in try await lines.next() }
    }

    private typealias Lines = SubprocessOutputSequence.StringSequence<UTF8>.AsyncIterator

    /// Runs a process with `body`, closes its standard input, and waits for its end, which is to be a good one.
    private static func launch<Found: Sendable>(
        _ contender: Contender, _ arguments: [String], _ order: WorkOrder,
        _ body: (Int32, StandardInputWriter, inout Lines) async throws -> Found
    ) async throws -> Found {
        var options = PlatformOptions()
        // In the driver's own process group, so that a Ctrl-C ends it too; its own limit ends it in any case.
        options.teardownSequence = [.send(signal: .kill, allowedDurationToNextStep: .seconds(1))]
        var environment: [Environment.Key: String?] = [:]
        for (name, value) in order.environment { environment[Environment.Key(stringLiteral: name)] = value }
        let configuration = Configuration(
            executable: .path(FilePath(contender.program)), arguments: Arguments(arguments),
            environment: .inherit.updating(environment), platformOptions: options)
        let errors = try ErrorFile()
        defer { errors.close() }
        do {
            let outcome = try await Subprocess.run(
                configuration, input: .inputWriter, output: .sequence,
                error: .fileDescriptor(errors.descriptor, closeAfterSpawningProcess: false)
            ) { execution in
                // For one that does not even hear its own alarm.
                let watchdog = Task {
                    try await Task.sleep(for: .seconds(order.limit + 5))
                    try execution.send(signal: .kill)
                }
                defer { watchdog.cancel() }
                var lines = execution.standardOutput.strings().makeAsyncIterator()
                let found = try await body(
                    execution.processIdentifier.value, execution.standardInputWriter, &lines)
                try await execution.standardInputWriter.finish()
                while try await lines.next() != nil {}
                return found
            }
            guard outcome.terminationStatus.isSuccess else {
                throw BenchmarkError("it ended with \(outcome.terminationStatus)")
            }
            return outcome.closureResult
        } catch let error where !(error is CancellationError) {
            let said = errors.text()
            throw BenchmarkError(
                "\(contender.name) at \(order.work): \(error)\(said.isEmpty ? "" : "\n\(said)")")
        }
    }
}
