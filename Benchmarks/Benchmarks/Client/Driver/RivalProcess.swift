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

    /// Runs a contender to its end.
    ///
    /// - Parameters:
    ///   - whenReady: called once its set-up is done; it begins when this returns.
    ///   - whenDone: called with its result while the process still stands as it was at the end of its work.
    /// - Throws: ``BenchmarkError`` with what it wrote to standard error, when it fails or takes too long.
    static func run(
        _ contender: Contender, _ order: WorkOrder,
        whenReady: @Sendable (Int32) async throws -> Void, whenDone: @Sendable (Int32, Result) async throws -> Void
    ) async throws {
        let configuration = configuration(contender, contender.arguments, order.environment)
        let errors = try ErrorFile()
        defer { errors.remove() }
        do {
            let outcome = try await Subprocess.run(
                configuration, input: .inputWriter, output: .sequence,
                error: .fileDescriptor(errors.descriptor, closeAfterSpawningProcess: true)
            ) { execution in
                let process = execution.processIdentifier.value
                var lines = execution.standardOutput.strings().makeAsyncIterator()
                guard try await lines.next() == "ready" else { throw BenchmarkError("it did not become ready") }
                try await whenReady(process)
                _ = try await execution.standardInputWriter.write("go\n")
                guard let line = try await lines.next() else { throw BenchmarkError("it gave no result") }
                let result: Result
                do {
                    result = try JSONDecoder().decode(Result.self, from: Data(line.utf8))
                } catch {
                    throw BenchmarkError("its result cannot be read: \(line)")
                }
                try await whenDone(process, result)
                try await execution.standardInputWriter.finish()
                while try await lines.next() != nil {}
            }
            guard outcome.terminationStatus.isSuccess else {
                throw BenchmarkError("it ended with \(outcome.terminationStatus)")
            }
        } catch let error where !(error is CancellationError) {
            let said = errors.text()
            throw BenchmarkError("\(contender.name) at \(order.work): \(error)\(said.isEmpty ? "" : "\n\(said)")")
        }
    }

    /// Runs a contender that says nothing but a line, such as its version.
    static func output(_ contender: Contender, _ arguments: [String]) async throws -> String {
        let result = try await Subprocess.run(
            configuration(contender, arguments, [:]), output: .string(limit: 4096), error: .string(limit: 65_536))
        guard result.terminationStatus.isSuccess else {
            throw BenchmarkError(
                "\(contender.name) cannot be run (\(result.terminationStatus)): \(result.standardError)")
        }
        return String(result.standardOutput.prefix { $0 != "\n" })
    }

    /// Runs a contender that is to do its work and say nothing.
    static func finish(_ contender: Contender, _ order: WorkOrder) async throws {
        let result = try await Subprocess.run(
            configuration(contender, contender.arguments, order.environment), output: .discarded,
            error: .string(limit: 65_536))
        guard result.terminationStatus.isSuccess else {
            throw BenchmarkError("\(contender.name) at \(order.work): \(result.standardError)")
        }
    }

    private static func configuration(
        _ contender: Contender, _ arguments: [String], _ variables: [String: String]
    ) -> Configuration {
        var options = PlatformOptions()
        // In the driver's own process group, so that a Ctrl-C ends it too; its own limit ends it in any case.
        options.teardownSequence = [.send(signal: .kill, allowedDurationToNextStep: .seconds(1))]
        var environment: [Environment.Key: String?] = [:]
        for (name, value) in variables { environment[Environment.Key(stringLiteral: name)] = value }
        return Configuration(
            executable: .path(FilePath(contender.program)), arguments: Arguments(arguments),
            environment: .inherit.updating(environment), platformOptions: options)
    }
}
