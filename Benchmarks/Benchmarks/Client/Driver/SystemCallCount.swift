import FoundationEssentials
import Subprocess

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// Counts the system calls of a running process, all its threads, with `strace`.
///
/// It attaches to the process, so that what it does to get ready is not counted, and slows it down severalfold, so such
/// a run is good for nothing else.
struct SystemCallCount: Sendable {
    private let stop: @Sendable () async throws -> Int

    /// Returns once every call is counted. strace's file lies in `folder` until the end.
    static func start(_ process: Int32, folder: String) async throws -> SystemCallCount {
        let path = ScratchFile.path("strace", in: folder)
        let (attached, tellAttached) = AsyncThrowingStream.makeStream(of: Void.self)
        let (stopping, tellStopping) = AsyncStream.makeStream(of: Void.self)
        let tracing = Task {
            do {
                try await trace(process, into: path, attached: tellAttached, stopping: stopping)
            } catch let error as SubprocessError {
                let error = BenchmarkError("strace cannot be run: \(error)\n  scripts/setup-tests installs it")
                tellAttached.finish(throwing: error)
                throw error
            } catch {
                tellAttached.finish(throwing: error)
                throw error
            }
        }
        for try await _ in attached { break }
        return SystemCallCount {
            tellStopping.finish()
            defer { ScratchFile.remove(path) }
            try await tracing.value
            let text = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
            return try Self.total(text)
        }
    }

    /// Ends the count.
    func total() async throws -> Int { try await stop() }

    private static func trace(
        _ process: Int32, into path: String, attached: AsyncThrowingStream<Void, any Error>.Continuation,
        stopping: AsyncStream<Void>
    ) async throws {
        var options = PlatformOptions()
        options.teardownSequence = [.send(signal: .interrupt, allowedDurationToNextStep: .seconds(2))]
        let outcome = try await Subprocess.run(
            .name("strace"), arguments: ["-f", "-c", "-o", path, "-p", "\(process)"], platformOptions: options,
            input: .none, output: .discarded, error: .sequence
        ) { execution in
            var said = ""
            for try await line in execution.standardError.strings() {
                said += line
                if line.contains("attached") {
                    attached.yield()
                    for await _ in stopping {}
                    try execution.send(signal: .interrupt)
                }
            }
            return said
        }
        // Interrupted, strace lets go of the process and ends by the same signal, or well.
        guard outcome.closureResult.contains("attached") else {
            throw BenchmarkError(
                """
                strace could not attach to process \(process): \(outcome.closureResult)
                  allow it to trace: as root, or with kernel.yama.ptrace_scope=0, in a container with \
                --cap-add=SYS_PTRACE
                """)
        }
    }

    /// The sum of strace's column `calls`.
    static func total(_ summary: String) throws -> Int {
        var total: Int?
        for line in summary.split(separator: "\n") {
            let fields = line.split(separator: " ")
            // % time, seconds, usecs/call, calls, errors (often blank), syscall
            guard fields.count >= 5, Double(fields[0]) != nil, fields.last != "total", let calls = Int(fields[3]) else {
                continue
            }
            total = (total ?? 0) + calls
        }
        guard let total else { throw BenchmarkError("strace's summary cannot be read: \(summary)") }
        return total
    }
}
