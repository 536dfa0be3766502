import Foundation
import Testing

/// The built command itself, with a broker that is not there.
@Suite(.timeLimit(.minutes(1))) struct CommandTests {
    private static let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appendingPathComponent("pipeline-run").path

    /// Runs the command to its end; gives back its exit code and what it wrote.
    private func run(_ arguments: [String]) throws -> (code: Int32, output: String, errors: String) {
        let (process, output, errors) = try start(arguments)
        let said = try errors.readToEnd() ?? Data()
        let data = try output.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self), String(decoding: said, as: UTF8.self))
    }

    /// - Parameter disposition: how the signals stand that the command inherits, as an option of `env`.
    private func start(
        _ arguments: [String], disposition: String = "--default-signal=HUP,INT"
    ) throws -> (Process, output: FileHandle, errors: FileHandle) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [disposition, Self.program] + arguments
        process.environment = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("PIPELINE_") && !$0.key.hasPrefix("RABBITMQ_") && $0.key != "AMQP_URL"
        }
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        return (process, output.fileHandleForReading, errors.fileHandleForReading)
    }

    @Test func `without a command it is a usage error with the help`() throws {
        let (code, output, errors) = try run([])
        #expect(code == 64)
        #expect(output.isEmpty)
        #expect(errors.hasPrefix("ERROR pipeline-run: a command is missing"))
        #expect(errors.contains("SUBCOMMANDS") && errors.contains("payment"))
        #expect(try run(["--help"]).code == 0)
    }

    @Test func `a URL without its flag is refused unseen`() throws {
        let (code, output, errors) = try run(["payment", "amqp://u:hunter2@h/"])
        #expect(code == 64)
        #expect(output.isEmpty && errors.hasPrefix("ERROR pipeline-run:"))
        #expect(errors.contains("--amqp-url") && !errors.contains("hunter2"))
    }

    /// Tries to connect to a port where nobody listens, and says so, again and again for half a minute.
    private static let waiting = [
        "payment", "--amqp-url", "amqp://127.0.0.1:1/", "--connect-attempts", "600", "--connect-delay", "0.05",
        "--metrics-port", "0", "--metrics-address", "127.0.0.1", "--log-format", "json",
    ]

    /// Reads until a text has come so often, or the end.
    private func read(_ handle: FileHandle, until text: String, times: Int) -> String {
        var said = Data()
        while true {
            let part = handle.availableData
            said += part
            let shown = String(decoding: said, as: UTF8.self)
            if part.isEmpty || shown.components(separatedBy: text).count > times { return shown }
        }
    }

    @Test(arguments: [SIGHUP, SIGINT, SIGTERM])
    func `a signal drains`(number: Int32) throws {
        let (process, _, errors) = try start(Self.waiting)
        _ = read(errors, until: "127.0.0.1:1", times: 2)
        kill(process.processIdentifier, number)
        let said = String(decoding: try errors.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 0)
        #expect(said.contains("Stopping"))
    }

    @Test func `what was ignored at the start stays ignored`() throws {
        let (process, _, errors) = try start(Self.waiting, disposition: "--ignore-signal=HUP,INT")
        _ = read(errors, until: "127.0.0.1:1", times: 2)
        kill(process.processIdentifier, SIGHUP)
        kill(process.processIdentifier, SIGINT)
        let after = read(errors, until: "127.0.0.1:1", times: 10)
        #expect(!after.contains("Stopping") && process.isRunning)
        kill(process.processIdentifier, SIGTERM)
        _ = try errors.readToEnd()
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 0)
    }
}
