import ActorBus
import Foundation
import LocalBroker
import Testing

extension EndToEnd {
    /// The commands that look at a pipeline from outside: topology, healthcheck, doctor, config.
    @Suite struct OperatorCommandTests {
        private func code(
            _ scene: Scene, _ arguments: [String], on host: VirtualHost? = nil,
            environment: [String: String] = [:]
        ) async throws -> Int32 {
            try await scene.run(arguments, on: host, environment: environment).exit.code
        }

        @Test(.timeLimit(.minutes(2))) func theTopologyIsCheckedDeclaredAndExported() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let (missing, check) = try await scene.run(["topology", "check"], on: host)
                #expect(missing.code == 78, "\(check.report)")
                #expect(
                    check.output.lines.count == 38
                        && check.output.lines.allSatisfy { $0.hasSuffix("is missing") })
                // To look has made nothing.
                #expect(try await code(scene, ["topology", "check"], on: host) == 78)

                #expect(try await code(scene, ["topology", "declare"], on: host) == 0)
                #expect(try await code(scene, ["topology", "declare"], on: host) == 0)
                let (well, second) = try await scene.run(["topology", "check"], on: host)
                #expect(well.code == 0 && second.output.lines.isEmpty, "\(second.report)")
                // Bound as the contract has it.
                try await host.publish([Message(text: "x")], to: "orders")
                #expect(
                    try await host.depths(of: Contract.mainQueues)
                        == [
                            "payment_processor_queue": 1, "notifications_orders_queue": 1,
                            "fulfillment_processor_queue": 0, "notifications_payments_queue": 0,
                            "notifications_shipments_queue": 0,
                        ])

                // The retry queues are the same in both variants.
                let quorum = ["--queue-type", "quorum"]
                let (different, third) = try await scene.run(["topology", "check"] + quorum, on: host)
                #expect(different.code == 78 && third.output.lines.count == 10, "\(third.report)")
                for queue in Contract.mainQueues + Contract.deadLetterQueues {
                    #expect(
                        third.output.lines.contains { $0.contains("'\(queue)'") && $0.contains("inequivalent arg") },
                        "\(third.report)")
                }
                let (refused, fourth) = try await scene.run(["topology", "declare"] + quorum, on: host)
                #expect(
                    refused.code == 78 && fourth.errors.text.contains("inequivalent arg"), "\(fourth.report)")
            }
        }

        @Test(.timeLimit(.minutes(1)), arguments: ["classic", "quorum"])
        func theQueuesAreThoseOfTheContract(type: String) async throws {
            struct Queue: Decodable, Equatable {
                var name: String
                var durable: Bool
                var arguments: [String: Value]
            }
            enum Value: Decodable, Equatable {
                case text(String)
                case number(Int)

                init(from decoder: any Decoder) throws {
                    let value = try decoder.singleValueContainer()
                    if let number = try? value.decode(Int.self) {
                        self = .number(number)
                    } else {
                        self = .text(try value.decode(String.self))
                    }
                }
            }
            func moving(to queue: String) -> [String: Value] {
                [
                    "x-queue-type": .text("quorum"), "x-dead-letter-exchange": .text(""),
                    "x-dead-letter-routing-key": .text(queue), "x-dead-letter-strategy": .text("at-least-once"),
                    "x-overflow": .text("reject-publish"),
                ]
            }
            let isQuorum = type == "quorum"
            var expected: [String: [String: Value]] = [:]
            for queue in Contract.mainQueues {
                expected[queue] = isQuorum ? moving(to: "\(queue).dlq") : [:]
                expected["\(queue).dlq"] = isQuorum ? ["x-queue-type": .text("quorum")] : [:]
                for seconds in [1, 5, 30, 120, 600] {
                    var arguments = moving(to: queue)
                    arguments["x-message-ttl"] = .number(seconds * 1000)
                    expected["\(queue).retry.\(seconds)"] = arguments
                }
            }
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let (exit, process) = try await scene.run(["topology", "declare", "--queue-type", type], on: host)
                #expect(exit.code == 0, "\(process.report)")
                let file = "\(scene.folder)/declared.json"
                try await host.broker.rabbitmqctl(["export_definitions", file])
                let json = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: file)))
                let all = (json as? [String: Any])?["queues"] as? [[String: Any]] ?? []
                let ours = all.filter { $0["vhost"] as? String == host.name }
                let queues = try JSONDecoder().decode(
                    [Queue].self, from: try JSONSerialization.data(withJSONObject: ours))
                #expect(queues.count == 35 && queues.allSatisfy { $0.durable })
                for queue in queues { #expect(queue.arguments == expected[queue.name], "\(queue.name)") }
            }
        }

        @Test(.timeLimit(.minutes(2)), arguments: ["classic", "quorum"])
        func whatIsExportedCanBeImported(type: String) async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let (exit, process) = try await scene.run(
                    ["topology", "export", "--queue-type", type], on: host)
                #expect(exit.code == 0 && process.output.lines.count == 1, "\(process.report)")
                let file = "\(scene.folder)/definitions.json"
                try process.output.text.write(toFile: file, atomically: true, encoding: .utf8)
                try await host.broker.rabbitmqctl(["import_definitions", file])
                let (check, checked) = try await scene.run(
                    ["topology", "check", "--queue-type", type], on: host)
                #expect(check.code == 0, "\(checked.report)")
                try await host.publish([Message(text: "x")], to: "shipments")
                try await host.waits(for: 1, in: ["notifications_shipments_queue"])
            }
        }

        @Test(.timeLimit(.minutes(2))) func aServiceIsAskedForItsHealth() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let payment = try await scene.start("payment", on: host)
                try await payment.becomesReady()
                let port = ["--metrics-port", "\(try await payment.port())"]
                let (ready, process) = try await scene.run(["healthcheck", "payment"] + port)
                #expect(ready.code == 0 && process.output.lines == ["payment: ok"], "\(process.report)")
                #expect(try await code(scene, ["healthcheck", "payment", "--live"] + port) == 0)
                // As in a container, where the service and the probe share the environment.
                let environment = ["PIPELINE_METRICS_PORT": port[1], "PIPELINE_METRICS_ADDRESS": "0.0.0.0"]
                #expect(try await code(scene, ["healthcheck", "payment"], environment: environment) == 0)
                try await payment.drains()
                let (gone, after) = try await scene.run(["healthcheck", "payment", "--live"] + port)
                #expect(gone.code == 1 && after.output.text.contains("refused"), "\(after.report)")

                // Alive, and not ready: there is no broker.
                let lonely = try await scene.start(
                    "payment", "--connect-attempts", "1000", environment: ["AMQP_URL": "amqp://127.0.0.1:1/"])
                let other = ["--metrics-port", "\(try await lonely.port())"]
                #expect(try await code(scene, ["healthcheck", "payment", "--live"] + other) == 0)
                let (notReady, why) = try await scene.run(["healthcheck", "payment"] + other)
                #expect(notReady.code == 1 && why.output.text.contains("503"), "\(why.report)")
                // Frozen, it answers nothing, and is not waited for.
                lonely.signal(SIGSTOP)
                let (frozen, _) = try await scene.run(
                    ["healthcheck", "payment", "--live", "--timeout", "0.3"] + other, within: .seconds(20))
                #expect(frozen.code == 1)
                lonely.signal(SIGCONT)
            }
        }

        @Test(.timeLimit(.minutes(3))) func theDoctorFindsWhatIsInTheWay() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let (fresh, first) = try await scene.run(["doctor"], on: host)
                #expect(fresh.code == 0, "\(first.report)")
                #expect(
                    first.output.text.contains("38 of 3 exchanges and 35 queues are missing"))
                #expect(!first.output.text.contains("✗"))
                #expect(
                    try await code(scene, ["topology", "check"], on: host) == 78,
                    "the doctor has made something")

                #expect(try await code(scene, ["topology", "declare"], on: host) == 0)
                try await host.publish(
                    [Message(text: "x")], to: "", routingKey: "payment_processor_queue.dlq")
                try await host.publish([Message(text: "x")], to: "orders")
                let (well, second) = try await scene.run(["doctor", "payment"], on: host)
                #expect(well.code == 0, "\(second.report)")
                #expect(second.output.text.contains("1 dead letter in payment_processor_queue.dlq"))
                #expect(second.output.text.contains("nobody consumes"))
                let queue = try await host.take(from: "payment_processor_queue")
                #expect(queue.map(\.redelivered) == [false], "the doctor has taken a message")

                let address = "127.0.0.1:\(host.broker.nodes[0].amqpPort)"
                for (arguments, environment, expected, words) in [
                    (["--queue-type", "quorum"], ["AMQP_URL": host.url], 78, "x-queue-type"),
                    ([], ["AMQP_URL": "amqp://guest:geheim@\(address)/"], 77, "✗ login"),
                    ([], ["AMQP_URL": "amqp://\(address)/nowhere"], 78, "✗ virtual host"),
                    ([], ["AMQP_URL": "amqp://127.0.0.1:1/"], 69, "✗ connection"),
                    ([], ["AMQP_URL": "amqp://no-such-host.invalid/"], 69, "✗ names"),
                    ([], ["PIPELINE_SPEED": "no"], 78, "PIPELINE_SPEED"),
                    (["--speed", "no"], [:], 64, "--speed"),
                    (["--state-dir", "/dev/null/state"], ["AMQP_URL": host.url], 78, "✗ state folder"),
                    (
                        ["--metrics-address", "192.0.2.1", "--metrics-base-port", "19000"],
                        ["AMQP_URL": host.url], 78, "✗ ports"
                    ),
                ] as [([String], [String: String], Int32, String)] {
                    let (exit, process) = try await scene.run(
                        ["doctor"] + arguments, environment: environment)
                    #expect(exit.code == expected, "\(process.report)")
                    #expect(process.output.text.contains(words), "\(process.report)")
                    #expect(!(process.output.text + process.errors.text).contains("geheim"))
                }
            }
        }

        @Test(.timeLimit(.minutes(1))) func theDoctorSeesMissingPermissions() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                #expect(try await code(scene, ["topology", "declare"], on: host) == 0)
                let user = "reader-\(host.name)"
                try await host.broker.rabbitmqctl(["add_user", user, "secret"])
                try await host.broker.rabbitmqctl(
                    ["set_permissions", "-p", host.name, user, "", "^payments$", ".*"])
                let url = "amqp://\(user):secret@127.0.0.1:\(host.broker.nodes[0].amqpPort)/\(host.name)"
                let (exit, process) = try await scene.run(
                    ["doctor", "payment"], environment: ["AMQP_URL": url])
                try await host.broker.rabbitmqctl(["delete_user", user])
                #expect(exit.code == 78, "\(process.report)")
                let line = process.output.lines.first { $0.contains("permissions") } ?? ""
                #expect(
                    line.hasPrefix("✗") && line.contains("declare 35 of 35 queues")
                        && line.contains("publish dead letters") && line.contains("set_permissions"),
                    "\(line)")
                #expect(!line.contains("publish to the exchange") && !line.contains("consume"), "\(line)")
            }
        }

        @Test(.timeLimit(.minutes(1))) func theConfigurationIsShownWithoutSecrets() async throws {
            try await withScene { scene in
                let (exit, process) = try await scene.run(
                    ["config", "payment", "--speed", "10"],
                    environment: [
                        "AMQP_URL": "amqp://shop:geheim@mq/", "PIPELINE_PREFETCH": "5", "PIPELINE_TYPO": "x",
                    ])
                #expect(exit.code == 0, "\(process.report)")
                #expect(process.output.text.contains(/speed +10 +flag --speed/))
                #expect(process.output.text.contains(/prefetch +5 +environment PIPELINE_PREFETCH/))
                #expect(process.output.text.contains(/user +shop +URL AMQP_URL/))
                #expect(process.output.text.contains(/success-rate +0.9 +default/))
                #expect(process.errors.text.contains("PIPELINE_TYPO"))
                #expect(!(process.output.text + process.errors.text).contains("geheim"))
                let (_, json) = try await scene.run(["config", "--json"])
                for line in json.output.lines {
                    #expect(try JSONSerialization.jsonObject(with: Data(line.utf8)) is [String: Any])
                }
            }
        }
    }
}
