/// Where the programs of the contenders are, and what they are started with.
struct PipelinePrograms: Sendable {
    /// The `pipeline-run` that is measured.
    var pipelineRun: String

    private static let python = ".build/bench-venv/bin/python"
    private static let script = "Benchmarks/Rivals/python/pika_pipeline.py"
    private static let seed = 7

    /// One that does the role.
    func program(
        _ role: PipelineRole, of contender: PipelineContender, _ load: PipelineLoad, broker: PipelineBroker, run: Int
    ) throws -> ServiceProgram {
        guard contender.form != .pika else {
            return ServiceProgram(
                role: role, path: Self.python, arguments: ["-B", Self.script, role.rawValue],
                environment: [
                    "BENCH_PORT": "\(broker.port)", "BENCH_COUNT": "\(load.orders)",
                    "BENCH_INTERVAL": load.seconds ?? "0",
                ], metricsPort: nil)
        }
        let port = try broker.freePorts(role == .all ? 4 : 1)
        var arguments = [
            role.rawValue, "--amqp-url", "amqp://guest@127.0.0.1:\(broker.port)/", "--seed", "\(Self.seed)",
            "--log-level", "warning", "--metrics-address", "127.0.0.1",
            role == .all ? "--metrics-base-port" : "--metrics-port", "\(port)",
        ]
        if role == .all || role == .generator {
            arguments += [
                "--max-orders", "\(load.orders)", "--state-dir", "\(broker.scratchFolder)/bench-state-\(run)",
            ]
        }
        if role == .all { arguments += ["--replicas", "payment=\(contender.replicas)"] }
        if role != .generator { arguments += contender.crew.arguments }
        if let seconds = load.seconds {
            arguments += [
                "--batch", "1-1", "--interval", "\(seconds)-\(seconds)", "--payment-time", "0-0",
                "--fulfillment-time", "0-0",
            ]
        } else {
            arguments += ["--speed", "max"]
        }
        return ServiceProgram(
            role: role, path: pipelineRun, arguments: arguments, environment: ["RABBITMQ_PASSWORD": "guest"],
            metricsPort: port)
    }

    /// As the contenders name themselves.
    func versions() async throws -> [String: String] {
        func version(_ path: String, _ arguments: [String], _ setUp: String) async throws -> String {
            let program = ServiceProgram(
                role: .all, path: path, arguments: arguments, environment: ["BENCH_PORT": "0"], metricsPort: nil)
            do {
                return try await ServiceProcess.start(program).end()
            } catch {
                throw BenchmarkError("\(path) cannot be run: \(error)\nrun \(setUp)")
            }
        }
        return [
            "pipeline-run": try await version(pipelineRun, ["--version"], "`make build`, or give --pipeline-run"),
            "pika": try await version(Self.python, ["-B", Self.script, "version"], "scripts/setup-bench"),
        ]
    }
}
