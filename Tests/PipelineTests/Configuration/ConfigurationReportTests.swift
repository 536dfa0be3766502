import ArgumentParser
import Pipeline
import Testing

@testable import pipeline_run

@Suite struct ConfigurationReportTests {
    private func report(
        _ target: RunTarget, _ arguments: [String] = [], _ environment: [String: String] = [:]
    ) throws -> ConfigurationReport {
        try ConfigurationReport(
            target, try RunOptions.parse(arguments), environment: environment,
            readFile: { _ in "from-a-file" })
    }

    private func row(_ name: String, _ report: ConfigurationReport) -> ConfigurationReport.Row? {
        report.rows.first { $0.setting == name }
    }

    @Test func `says of each value where it came from`() throws {
        let report = try report(
            .role(.payment), ["--speed", "10", "--amqp-url", "amqp://shop@mq-1,mq-2:99"],
            ["PIPELINE_CONCURRENCY": "4", "PIPELINE_SPEED": "2", "RABBITMQ_HEARTBEAT": "7"])
        #expect(row("speed", report) == .init(setting: "speed", value: "10", origin: .flag("--speed")))
        #expect(
            row("concurrency", report)
                == .init(setting: "concurrency", value: "4", origin: .environment("PIPELINE_CONCURRENCY")))
        #expect(row("prefetch", report) == .init(setting: "prefetch", value: "4", origin: .standard))
        #expect(
            row("hosts", report)
                == .init(setting: "hosts", value: "mq-1:5672,mq-2:99", origin: .url("--amqp-url")))
        #expect(row("user", report)?.origin == .url("--amqp-url"))
        #expect(
            row("virtual-host", report) == .init(setting: "virtual-host", value: "/", origin: .standard))
        #expect(
            row("heartbeat", report)
                == .init(setting: "heartbeat", value: "7", origin: .environment("RABBITMQ_HEARTBEAT")))
        #expect(row("metrics-port", report)?.value == "8001")
        #expect(row("metrics-base-port", report) == nil)
        #expect(row("payment-time", report)?.value == "0.5-2")
        #expect(row("seed", report) == .init(setting: "seed", value: nil, origin: .standard))
    }

    @Test func `has every setting that a run has`() throws {
        let shown = Set(try report(.all, ["--amqp-url", "amqp://h"]).rows.map(\.setting))
        for variable in Settings.environmentNames {
            let name = variable.dropFirst("PIPELINE_".count).lowercased().replacing("_", with: "-")
            let isMeant = !["revision", "event-log", "metrics-port"].contains(name)
            #expect(shown.contains(name) == isMeant, "\(name)")
        }
    }

    @Test func `never shows a password`() throws {
        for (arguments, environment, origin) in [
            (["--amqp-url", "amqp://u:geheim@h"], [:], .url("--amqp-url")),
            ([], ["AMQP_URL": "amqp://u:geheim@h"], .url("AMQP_URL")),
            (
                [], ["RABBITMQ_HOST": "h", "RABBITMQ_PASSWORD": "geheim"], .environment("RABBITMQ_PASSWORD")
            ),
            ([], ["RABBITMQ_PASSWORD_FILE": "f"], .environment("RABBITMQ_PASSWORD_FILE")),
        ] as [([String], [String: String], ConfigurationReport.Origin)] {
            let report = try report(.role(.payment), arguments, environment)
            let password = row("password", report)
            #expect(password?.origin == origin)
            let text =
                (ConfigCommand.table(report.rows) + report.rows.map(ConfigCommand.json) + report.warnings)
                .joined()
            #expect(!text.contains("geheim") && !text.contains("from-a-file"))
        }
    }

    @Test func `of all without a broker names the private one`() throws {
        let report = try report(.all)
        #expect(row("broker", report)?.value?.contains("private") == true)
        #expect(row("hosts", report) == nil)
        #expect(row("replicas", report)?.value == "payment=2,fulfillment=1,notification=1")
        #expect(row("metrics-base-port", report)?.value == "8000")
    }

    @Test func `refuses what a run refuses`() {
        #expect(throws: ConfigurationError.self) { try report(.all, ["--success-rate", "2"]) }
        #expect(throws: ConfigurationError.self) { try report(.role(.payment), ["--max-orders", "2"]) }
    }
}

@Suite struct OperatorValuesTests {
    @Test(
        arguments: [("30s", 30), ("15m", 900), ("2h", 7200), ("7d", 604_800), ("0s", 0)]
            as [(String, Int64)])
    func `ages`(text: String, seconds: Int64) throws {
        #expect(try Readers.age(text) == .seconds(seconds))
    }

    @Test(arguments: ["", "s", "5", "5 m", "-1s", "1.5h", "1w", "9999999999s"])
    func `what is no age`(text: String) {
        #expect(throws: Unreadable.self) { try Readers.age(text) }
    }

    @Test func `ages are shown in their largest unit`() {
        #expect(DurationText.age(.seconds(-5)) == "0s")
        #expect(DurationText.age(.seconds(119)) == "119s")
        #expect(DurationText.age(.seconds(120)) == "2m")
        #expect(DurationText.age(.seconds(7200)) == "2h")
        #expect(DurationText.age(.seconds(172_800)) == "2d")
    }

    @Test func `queues go by either name`() {
        #expect(DeadLetterQueueName(argument: "payment_processor_queue")?.queue == .payment)
        #expect(DeadLetterQueueName(argument: "payment_processor_queue.dlq")?.queue == .payment)
        #expect(DeadLetterQueueName(argument: "payment") == nil)
    }

    @Test func `rates and times are above zero`() throws {
        #expect(try Readers.messagesPerSecond("0.5") == 0.5)
        for text in ["0", "-1", "inf", "1e3", "", "x", "0x1", "1000001"] {
            #expect(throws: Unreadable.self, "\(text)") { try Readers.messagesPerSecond(text) }
        }
        #expect(try Readers.secondsAboveZero("0.25") == .milliseconds(250))
        for text in ["0", "0.000", "-1", "", "soon", "86401"] {
            #expect(throws: Unreadable.self, "\(text)") { try Readers.secondsAboveZero(text) }
        }
    }

    @Test(
        arguments: [
            (["dlq", "list", "--limit", "0"], "from 1 to 4294967295"),
            (["dlq", "list", "--limit", "-1"], "is no whole number"),
            (["dlq", "list", "--limit=-1"], "is no whole number"),
            (["dlq", "replay", "--rate", "-1"], "is no number of messages"),
            (["top", "--every", "-1"], "is no number of seconds"),
            (["dlq", "replay", "--rate", "0"], "from 0.001 to 1000000"),
            (["dlq", "list", "--older-than", "5"], "as in 30s, 15m, 2h or 7d"),
            (["top", "--every", "0"], "from 0.001 to 86400"),
            (["top", "--count", "0"], "from 1 to 4294967295"),
            (["healthcheck", "payment", "--timeout", "0"], "from 0.001 to 86400"),
        ])
    func `a refusal says what is expected`(arguments: [String], words: String) {
        do {
            _ = try PipelineRun.parseAsRoot(arguments)
        } catch {
            #expect(PipelineRun.message(for: error).contains(words))
            return
        }
        Issue.record("accepted")
    }

    @Test func `a value that begins with a dash is read as the value`() throws {
        let command = try PipelineRun.parseAsRoot(["payment", "--payment-time", "-1"])
        let options = try #require(command as? PaymentCommand).options
        #expect(options.simulation.paymentTime == "-1")
    }

    @Test func `seconds are written as they are read`() {
        #expect(DurationText.seconds(.seconds(25)) == "25")
        #expect(DurationText.seconds(.milliseconds(1050)) == "1.05")
        #expect(DurationText.seconds(.zero) == "0")
    }

    @Test func `services of this machine are found as they find their ports`() throws {
        func addresses(_ target: RunTarget, _ environment: [String: String] = [:]) throws -> [String] {
            try ServiceAddresses(
                target, metricsPort: nil, metricsBasePort: nil, metricsAddress: nil,
                environment: environment
            ).all.map { kind, address in
                "\(kind) \(address.host)\(address.otherHost.map { " or \($0)" } ?? "") \(address.port)"
            }
        }
        #expect(try addresses(.role(.fulfillment)) == ["fulfillment 127.0.0.1 or ::1 8002"])
        #expect(
            try addresses(
                .role(.payment), ["PIPELINE_METRICS_PORT": "9", "PIPELINE_METRICS_ADDRESS": "[::]"])
                == ["payment ::1 or 127.0.0.1 9"])
        #expect(
            try addresses(.role(.payment), ["PIPELINE_METRICS_ADDRESS": "0.0.0.0"]) == ["payment 127.0.0.1 8001"])
        #expect(
            try addresses(.role(.payment), ["PIPELINE_METRICS_ADDRESS": "10.0.0.7"]) == ["payment 10.0.0.7 8001"])
        #expect(
            try addresses(.all, ["PIPELINE_METRICS_BASE_PORT": "100"]).last
                == "notification 127.0.0.1 or ::1 103")
        #expect(throws: ConfigurationError.self) {
            try addresses(.all, ["PIPELINE_METRICS_BASE_PORT": "0"])
        }
    }

    @Test func `columns stand below one another`() {
        #expect(
            TextTable.lines([["a", "bb", "c"], ["aaa", "b", "cc"]]) == ["a    bb  c", "aaa  b   cc"])
        #expect(TextTable.lines([]).isEmpty)
    }

    @Test func `the exit code is that of the first finding in the way`() {
        #expect([Finding]().status == 0)
        #expect([Finding.good("a", ""), .warning("b", ""), .skipped("c", "")].status == 0)
        #expect(
            [Finding.warning("a", ""), .bad("b", "", status: 77), .bad("c", "", status: 69)].status == 77)
        let line = Finding.bad("login", "no\u{1b}[2J", remedy: "do this", status: 77).text(
            colors: false)
        #expect(line == "✗ login            no\\u{1b}[2J; do this")
    }

    @Test func `the room and the kind of a disk are found`() {
        func condition(_ free: UInt64?, _ volume: String? = nil) -> StateDirectory.Condition {
            StateDirectory.Condition(exists: true, holder: nil, freeBytes: free, networkVolume: volume)
        }
        #expect(MachineChecks.room(condition(0)).mark == .bad(status: 1))
        #expect(MachineChecks.room(condition(1 << 20)).mark == .warning)
        #expect(MachineChecks.room(condition(1 << 30)).mark == .good)
        #expect(MachineChecks.room(condition(nil)).mark == .skipped)
        #expect(MachineChecks.volume(condition(1)).isEmpty)
        let finding = MachineChecks.volume(condition(1, "nfs"))
        #expect(finding.map(\.mark) == [.warning] && finding.first?.words.contains("nfs") == true)
    }

    @Test func `a clock that cannot be right is found`() {
        let now = Timestamp(clampingSeconds: 1_800_000_000)
        #expect(MachineChecks.clock(at: now, newestFile: nil).mark == .good)
        #expect(
            MachineChecks.clock(at: now, newestFile: Timestamp(clampingSeconds: 1_800_000_030)).mark
                == .good)
        #expect(
            MachineChecks.clock(at: now, newestFile: Timestamp(clampingSeconds: 1_800_000_300)).mark
                == .bad(status: 1))
        #expect(
            MachineChecks.clock(at: Timestamp(clampingSeconds: 0), newestFile: nil).mark
                == .bad(status: 1))
        #expect(MachineChecks.clock(at: .latest, newestFile: nil).mark == .bad(status: 1))
    }
}
