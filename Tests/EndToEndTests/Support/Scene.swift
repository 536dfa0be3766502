import Foundation
import Glibc
import Testbed
import Testing

/// What one test starts: processes, and a folder for their state. All of it is gone when the test is over.
final class Scene: Sendable {
    /// For everything that processes keep; its name stands in the environment of each of them and of what they start.
    let folder: String
    private let children = Lock<[ChildProcess]>([])

    fileprivate init() throws {
        var template = Array("/tmp/e2e-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw Overdue("no temporary folder: errno \(errno)") }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Starts `pipeline-run` with only the given variables and what a process needs.
    func start(
        _ arguments: String..., on host: VirtualHost? = nil, environment: [String: String] = [:]
    ) async throws -> ChildProcess {
        try await start(arguments, on: host, environment: environment)
    }

    func start(
        _ arguments: [String], on host: VirtualHost? = nil, environment: [String: String] = [:]
    ) async throws -> ChildProcess {
        var variables = baseEnvironment
        variables["PIPELINE_STATE_DIR"] = "\(folder)/state"
        variables["PIPELINE_METRICS_ADDRESS"] = "127.0.0.1"
        variables[arguments.first == "all" ? "PIPELINE_METRICS_BASE_PORT" : "PIPELINE_METRICS_PORT"] = "0"
        variables["AMQP_URL"] = host?.url
        variables.merge(environment) { $1 }
        return try await start(program: try Program.pipelineRun(), arguments, variables, arguments.first ?? "none")
    }

    /// Starts any other program.
    func start(
        program: String, _ arguments: [String], _ environment: [String: String] = [:], _ name: String,
        standardInput: Bool = false
    ) async throws -> ChildProcess {
        let child = try await ChildProcess.start(
            program, arguments, environment: baseEnvironment.merging(environment) { $1 }, name: name,
            standardInput: standardInput)
        children.withLock { $0.append(child) }
        return child
    }

    /// Runs `pipeline-run` to its end.
    func run(
        _ arguments: [String], on host: VirtualHost? = nil, environment: [String: String] = [:],
        within limit: Duration = .seconds(60)
    ) async throws -> (exit: ChildProcess.Exit, process: ChildProcess) {
        let process = try await start(arguments, on: host, environment: environment)
        return (try await process.exit(within: limit), process)
    }

    /// Every process that has to do with this test and still runs: its environment or arguments name the folder.
    func processesLeft() -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { $0 != getpid() }.compactMap { process in
            let read = { (file: String) in
                String(
                    decoding: FileManager.default.contents(atPath: "/proc/\(process)/\(file)") ?? Data(), as: UTF8.self)
            }
            guard (read("environ") + read("cmdline")).contains(folder),
                read("stat").split(separator: ")").last?.dropFirst().first != "Z"
            else { return nil }
            return "\(process): \(read("cmdline").replacing("\0", with: " ").prefix(100))"
        }
    }

    private var baseEnvironment: [String: String] {
        var variables = ["PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": folder, "TMPDIR": folder]
        // What a sanitized or not statically linked build needs, and which server private brokers start.
        for name in ["LD_LIBRARY_PATH", "ASAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS", "LOCAL_BROKER_INSTALLATION"] {
            variables[name] = ProcessInfo.processInfo.environment[name]
        }
        return variables
    }

    fileprivate func end() async {
        for child in children.withLock({ $0 }) {
            TestLog.current?.note(child.report)
            await child.end()
        }
        do {
            // A private broker's guard ends it within seconds of its parent.
            try await eventually(within: .seconds(30), "the end of \(self.processesLeft())") { processesLeft().isEmpty }
        } catch {
            Issue.record("processes are left: \(error)")
        }
        do {
            try FileManager.default.removeItem(atPath: folder)
        } catch {
            Issue.record("\(folder) cannot be removed: \(error)")
        }
    }
}

/// Runs a test with a ``Scene`` of its own.
func withScene(_ body: (Scene) async throws -> Void) async throws {
    let scene = try Scene()
    do {
        try await body(scene)
        await scene.end()
    } catch {
        await scene.end()
        throw error
    }
}

/// Where the programs under test are.
enum Program {
    /// `pipeline-run` beside the tests' own executable, where SwiftPM builds both; `PIPELINE_RUN` names another.
    static func pipelineRun() throws -> String {
        let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let path =
            ProcessInfo.processInfo.environment["PIPELINE_RUN"]
            ?? own.deletingLastPathComponent().appendingPathComponent("pipeline-run").path
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw Overdue("there is no \(path); build the product pipeline-run, or name it in PIPELINE_RUN")
        }
        return path
    }

    /// Debian's browser, installed by `make setup-tests`; `E2E_CHROMIUM` names another.
    static func chromium() throws -> String {
        let path = ProcessInfo.processInfo.environment["E2E_CHROMIUM"] ?? "/usr/bin/chromium"
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw Overdue("there is no \(path); run `make setup-tests`, or name a Chromium in E2E_CHROMIUM")
        }
        return path
    }

    /// A program of the tests that drives the browser.
    static func browserTest(_ name: String) -> String { root.appendingPathComponent("Tests/Browser/\(name)").path }

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// A Python with pika, made by `make setup-tests`; `E2E_PYTHON` names another.
    static func python() throws -> String {
        let path =
            ProcessInfo.processInfo.environment["E2E_PYTHON"]
            ?? root.appendingPathComponent(".build/venv/bin/python").path
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw Overdue("there is no \(path); run `make setup-tests`, or name a Python with pika in E2E_PYTHON")
        }
        return path
    }
}
