import Foundation
import Testing

extension EndToEnd {
    /// What the command line says to those who got it wrong, and to those who ask.
    @Suite struct CommandLineTests {
        private struct Wrong: CustomTestStringConvertible, Sendable {
            let arguments: [String]
            let environment: [String: String]
            let code: Int32
            /// What the words have to name.
            let named: [String]

            init(_ arguments: [String], _ code: Int32, _ named: String...) {
                (self.arguments, environment, self.code, self.named) = (arguments, [:], code, named)
            }

            init(_ arguments: [String], _ environment: [String: String], _ code: Int32, _ named: String...) {
                (self.arguments, self.environment, self.code, self.named) = (arguments, environment, code, named)
            }

            var testDescription: String {
                (environment.map { "\($0.key)=\($0.value)" } + arguments).joined(separator: " ")
            }
        }

        /// Each flag with values that it must refuse; its variable refuses the same.
        private static let refused: [(String, [String])] = [
            ("--success-rate", ["1.1", "-0.1", "x", "", "nan", "0,9"]), ("--batch", ["0-5", "5-1", "0", "a-b", "1-"]),
            ("--interval", ["20-10", "-1-2", "x"]), ("--payment-time", ["2-1", "x", "-0.5"]),
            ("--fulfillment-time", ["3-1", "inf-inf"]), ("--speed", ["0", "-1", "fast", ""]),
            ("--seed", ["x", "-1", "1.5", "99999999999999999999"]), ("--max-orders", ["0", "-1", "many"]),
            ("--replicas", ["payment", "payment=0", "payments=2", "payment=x", "generator=2"]),
            ("--concurrency", ["0", "x", "-1"]), ("--prefetch", ["0", "65536", "x"]),
            ("--queue-type", ["stream", ""]), ("--connect-attempts", ["0", "x"]), ("--connect-delay", ["-1", "x"]),
            ("--drain-timeout", ["-1", "x", "1e3"]), ("--log-format", ["xml"]), ("--log-level", ["loud"]),
            ("--metrics-base-port", ["65536", "x", "-1"]), ("--dashboard-port", ["65536", "x", "-1"]),
            ("--amqp-url", ["http://x/", "localhost", "amqp://:99999/"]),
        ]

        private static var refusals: [Wrong] {
            refused.flatMap { flag, values in
                let variable = variable(of: flag)
                return values.flatMap { value in
                    [Wrong(["all", "\(flag)=\(value)"], 64, flag), Wrong(["all"], [variable: value], 78, variable)]
                }
            }
        }

        private static func variable(of flag: String) -> String {
            flag == "--amqp-url"
                ? "AMQP_URL" : "PIPELINE_" + flag.dropFirst(2).uppercased().replacing("-", with: "_")
        }

        private static let particular: [Wrong] = [
            Wrong(["payment", "--metrics-port=65536"], 64, "--metrics-port"),
            Wrong(["payment"], ["PIPELINE_METRICS_PORT": "http"], 78, "PIPELINE_METRICS_PORT"),
            Wrong(["payment", "--nonsense"], 64, "--nonsense"), Wrong(["paymemt"], 64, "paymemt"),
            Wrong(["topology"], 64, "declare"), Wrong(["dlq"], 64, "replay"), Wrong(["dlq", "purge"], 64, "--yes"),
            Wrong(["dlq", "list", "--queue=orders"], 64, "--queue"),
            Wrong(["dlq", "list", "--error=x"], 64, "--error"),
            Wrong(["dlq", "list", "--older-than=5"], 64, "--older-than"),
            Wrong(["dlq", "replay", "--rate=0"], 64, "--rate"), Wrong(["dlq", "peek", "--limit=0"], 64, "--limit"),
            Wrong(["healthcheck"], 64, "service"), Wrong(["healthcheck", "payments"], 64, "payments"),
            Wrong(["healthcheck", "payment", "--timeout=0"], 64, "--timeout"),
            Wrong(["healthcheck", "payment", "--live", "--ready"], 64, "--live"), Wrong(["config", "x"], 64, "x"),
            Wrong(["config", "--speed=0"], 64, "--speed"),
            Wrong(["config"], ["PIPELINE_SPEED": "0"], 78, "PIPELINE_SPEED"),
            Wrong(["topology", "check"], ["PIPELINE_QUEUE_TYPE": "x"], 78, "PIPELINE_QUEUE_TYPE"),
            Wrong(["payment", "more"], 64, "more"), Wrong(["payment", "--seed"], 64, "--seed"),
            // Contradictions.
            Wrong(["payment", "--concurrency=4", "--prefetch=2"], 64, "--concurrency", "--prefetch"),
            Wrong(
                ["payment"], ["PIPELINE_CONCURRENCY": "4", "PIPELINE_PREFETCH": "2"], 78, "PIPELINE_CONCURRENCY",
                "PIPELINE_PREFETCH"),
            Wrong(["payment", "--max-orders=5"], 64, "--max-orders"),
            Wrong(["payment", "--metrics-base-port=8000"], 64, "--metrics-base-port", "--metrics-port"),
            Wrong(["all", "--metrics-port=8000"], 64, "--metrics-port", "--metrics-base-port"),
            Wrong(["payment", "--replicas=fulfillment=2"], 64, "--replicas"),
            Wrong(["payment", "--dashboard"], 64, "--dashboard", "'all'"),
            Wrong(["all", "--dashboard-port=9004"], 64, "--dashboard-port", "without --dashboard"),
            Wrong(["all", "--dashboard=true"], 64, "--dashboard"),
            Wrong(["all"], ["PIPELINE_DASHBOARD": "yes"], 78, "PIPELINE_DASHBOARD"),
            Wrong(
                ["payment"], ["RABBITMQ_PASSWORD": "a", "RABBITMQ_PASSWORD_FILE": "/dev/null"], 78,
                "RABBITMQ_PASSWORD", "RABBITMQ_PASSWORD_FILE"),
            // The broker's variables.
            Wrong(["payment"], ["RABBITMQ_PORT": "tcp://10.0.0.1:5672"], 78, "RABBITMQ_PORT", "enableServiceLinks"),
            Wrong(["payment"], ["RABBITMQ_PORT": "0"], 78, "RABBITMQ_PORT"),
            Wrong(["payment"], ["RABBITMQ_HOST": ""], 78, "RABBITMQ_HOST"),
            Wrong(["payment"], ["RABBITMQ_HOST": "amqp://a@b/"], 78, "RABBITMQ_HOST", "AMQP_URL"),
            Wrong(["payment"], ["RABBITMQ_USER": ""], 78, "RABBITMQ_USER"),
            Wrong(["payment"], ["RABBITMQ_VHOST": ""], 78, "RABBITMQ_VHOST"),
            Wrong(["payment"], ["RABBITMQ_HEARTBEAT": "soon"], 78, "RABBITMQ_HEARTBEAT"),
            Wrong(["payment"], ["RABBITMQ_PASSWORD_FILE": "/no/such"], 78, "RABBITMQ_PASSWORD_FILE", "/no/such"),
        ]

        @Test(.timeLimit(.minutes(4))) func wrongValuesAreNamed() async throws {
            try await withScene { scene in
                // Two at once, for two cores; a debug build takes its time to start.
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (number, wrong) in (Self.refusals + Self.particular).enumerated() {
                        if number >= 2 { try await group.next() }
                        group.addTask { try await Self.expectRefused(wrong, scene) }
                    }
                    try await group.waitForAll()
                }
            }
        }

        private static func expectRefused(_ wrong: Wrong, _ scene: Scene) async throws {
            // Whatever is not refused runs into a broker that is not there, and ends all the same.
            var environment = ["AMQP_URL": "amqp://127.0.0.1:1/", "PIPELINE_CONNECT_ATTEMPTS": "1"]
            if wrong.environment.keys.contains(where: { $0.hasPrefix("RABBITMQ_") }) { environment["AMQP_URL"] = nil }
            environment.merge(wrong.environment) { $1 }
            let (exit, process) = try await scene.run(
                wrong.arguments, environment: environment, within: .seconds(30))
            let said = process.errors.text
            #expect(exit.code == wrong.code, "\(wrong.testDescription): \(process.report)")
            for name in wrong.named { #expect(said.contains(name), "\(wrong.testDescription): \(said)") }
            #expect(said.count > 30)
            #expect(process.output.lines.isEmpty, "\(wrong.testDescription)")
        }

        @Test(
            .timeLimit(.minutes(1)),
            arguments: ["trace 5", "trace"])
        func commandsToComeSaySo(command: String) async throws {
            try await withScene { scene in
                let (exit, process) = try await scene.run(command.split(separator: " ").map(String.init))
                #expect(exit.code == 78, "\(process.report)")
                #expect(process.errors.text.contains("not yet available"))
            }
        }

        @Test(.timeLimit(.minutes(1))) func flagsToComeSaySo() async throws {
            try await withScene { scene in
                let (exit, process) = try await scene.run(["all", "--event-log", "x"])
                #expect(exit.code == 78, "\(process.report)")
                #expect(process.errors.text.contains("not yet available"))
            }
        }

        @Test(.timeLimit(.minutes(1)), arguments: ["bash", "zsh", "fish"])
        func shellsCanCompleteIt(shell: String) async throws {
            try await withScene { scene in
                let (exit, process) = try await scene.run(["--generate-completion-script", shell])
                #expect(exit.code == 0, "\(process.report)")
                let script = process.output.text
                for word in ["healthcheck", "replay", "older-than", "quorum", "payment_processor_queue"] {
                    #expect(script.contains(word), "\(word)")
                }
                guard shell == "bash" else { return }
                let program = """
                    COMP_WORDS=(pipeline-run dlq re) COMP_CWORD=2 COMP_LINE="pipeline-run dlq re" COMP_POINT=19
                    complete() { completer=${*: -2:1}; }
                    source /dev/stdin <<'SCRIPT'
                    \(script)
                    SCRIPT
                    $completer pipeline-run re dlq
                    echo "${COMPREPLY[*]}"
                    """
                let bash = try await scene.start(program: "/bin/bash", ["--norc", "-c", program], [:], "bash")
                #expect(try await bash.exit(within: .seconds(20)).code == 0, "\(bash.report)")
                #expect(bash.output.text == "replay", "\(bash.report)")
            }
        }

        @Test(.timeLimit(.minutes(1))) func helpAndVersion() async throws {
            try await withScene { scene in
                let (exit, help) = try await scene.run(["--help"])
                #expect(exit.code == 0)
                for word in ["all", "generator", "payment", "fulfillment", "notification", "AMQP_URL", "75", "SIGTERM"]
                {
                    #expect(help.output.text.contains(word), "\(word)")
                }
                let (allExit, all) = try await scene.run(["all", "--help"])
                #expect(allExit.code == 0)
                for (flag, _) in Self.refused {
                    #expect(all.output.text.contains(flag), "\(flag)")
                    #expect(all.output.text.contains(Self.variable(of: flag)), "\(flag)")
                }
                for (command, words) in [
                    (["topology"], ["declare", "check", "export"]), (["dlq"], ["list", "peek", "replay", "purge"]),
                    (["doctor"], ["--state-dir"]), (["config"], ["--json"]), (["healthcheck"], ["--live"]),
                    (["top"], []),
                ] {
                    let (exit, text) = try await scene.run(command + ["--help"])
                    #expect(exit.code == 0, "\(command)")
                    for word in words { #expect(text.output.text.contains(word), "\(command): \(word)") }
                }
                let (versionExit, version) = try await scene.run(["--version"])
                #expect(versionExit.code == 0)
                #expect(version.output.text.firstMatch(of: /\d+\.\d+\.\d+/) != nil)
            }
        }
    }
}
