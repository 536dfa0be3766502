import ActorBus
import Foundation
import LocalBroker
import Testing

extension EndToEnd {
    /// What keeps a service from starting: who is at fault, and what to do.
    @Suite struct StartTests {
        @Test(.timeLimit(.minutes(1))) func noBrokerIsSaidAttemptByAttempt() async throws {
            try await withScene { scene in
                for role in ["payment", "all"] {
                    let (exit, process) = try await scene.run(
                        [role, "--connect-attempts", "3", "--connect-delay", "0.1"],
                        environment: ["AMQP_URL": "amqp://someone:geheim@127.0.0.1:1,localhost:2/"])
                    #expect(exit.code == 69, "\(process.report)")
                    for attempt in 1...3 {
                        #expect(process.errors.text.contains("attempt \(attempt) of 3"), "\(process.report)")
                    }
                    // Each attempt tries every host.
                    #expect(process.errors.text.contains("127.0.0.1:1") && process.errors.text.contains("localhost:2"))
                    #expect(!process.errors.text.contains("geheim"))
                }
            }
        }

        @Test(.timeLimit(.minutes(1))) func aWrongPasswordEndsAtOnce() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let address = "127.0.0.1:\(host.broker.nodes[0].amqpPort)"
                for (arguments, environment) in [
                    (["payment"], ["AMQP_URL": "amqp://guest:geheim@\(address)/"]),
                    (["payment", "--amqp-url", "amqp://guest:geheim@\(address)/"], [:]),
                    (["all"], ["AMQP_URL": "amqp://guest@\(address)/", "RABBITMQ_PASSWORD": "geheim"]),
                    (
                        ["generator"],
                        ["RABBITMQ_HOST": address, "RABBITMQ_PASSWORD": "geheim", "RABBITMQ_USER": "nobody"]
                    ),
                ] {
                    let (exit, process) = try await scene.run(
                        arguments + ["--log-level", "trace"], environment: environment, within: .seconds(15))
                    #expect(exit.code == 77, "\(process.report)")
                    let said = process.errors.text + process.output.text
                    #expect(!said.contains("geheim"), "the password was printed")
                    #expect(said.contains("password"), "\(process.report)")
                    #expect(said.contains("ERROR"))
                    #expect(!said.contains("attempt 2"))
                }
            }
        }

        @Test(.timeLimit(.minutes(1))) func passwordsAreTakenFromWhereTheyMayStand() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let address = "127.0.0.1:\(host.broker.nodes[0].amqpPort)"
                let file = "\(scene.folder)/password"
                try "guest\n".write(toFile: file, atomically: true, encoding: .utf8)
                let process = try await scene.start(
                    "payment",
                    environment: [
                        "AMQP_URL": "amqp://guest@\(address)/\(host.name)", "RABBITMQ_PASSWORD_FILE": file,
                        "RABBITMQ_HOST": "elsewhere",
                    ])
                try await process.becomesReady()
                try await process.log("Waiting for orders...")
                try await process.log("RABBITMQ_HOST is not used")
                try await process.drains()
                let variables = try await scene.start(
                    "fulfillment",
                    environment: [
                        "RABBITMQ_HOST": "127.0.0.1", "RABBITMQ_PORT": "\(host.broker.nodes[0].amqpPort)",
                        "RABBITMQ_USER": "guest", "RABBITMQ_PASSWORD": "guest", "RABBITMQ_VHOST": host.name,
                        "RABBITMQ_HEARTBEAT": "600",
                    ])
                try await variables.becomesReady()
                try await variables.log("Waiting for payments...")
                try await variables.drains()
            }
        }

        @Test(.timeLimit(.minutes(1))) func aMissingVirtualHostEndsAtOnce() async throws {
            try await withScene { scene in
                let broker = try await SharedBroker.shared.virtualHost().broker
                let (exit, process) = try await scene.run(
                    ["notification"], on: VirtualHost(broker: broker, name: "no-such-host"), within: .seconds(15))
                #expect(exit.code == 78, "\(process.report)")
                #expect(process.errors.lines.last { $0.contains("ERROR") }?.contains("no-such-host") == true)
            }
        }

        @Test(.timeLimit(.minutes(1))) func aQueueDeclaredOtherwiseEndsAtOnce() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                try await host.withConnection(
                    Topology { Queue("fulfillment_processor_queue", arguments: ["x-message-ttl": 60_000]) }
                ) { _ in }
                for role in ["payment", "all"] {
                    let (exit, process) = try await scene.run([role], on: host, within: .seconds(15))
                    #expect(exit.code == 78, "\(process.report)")
                    let error = process.errors.lines.last { $0.contains("ERROR") } ?? ""
                    #expect(error.contains("fulfillment_processor_queue"), "\(process.report)")
                    #expect(error.contains("x-message-ttl"), "\(process.report)")
                }
            }
        }

        @Test(.timeLimit(.minutes(1))) func aPortInUseIsNamed() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let first = try await scene.start("payment", on: host)
                let port = try await first.port()
                let (exit, second) = try await scene.run(["payment", "--metrics-port", "\(port)"], on: host)
                #expect(exit.code == 78, "\(second.report)")
                #expect(second.errors.lines.last { $0.contains("ERROR") }?.contains("\(port)") == true)
                try await first.drains()
            }
        }

        @Test(.timeLimit(.minutes(1))) func aStateFolderThatCannotBeUsedIsNamed() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let file = "\(scene.folder)/file"
                try "".write(toFile: file, atomically: true, encoding: .utf8)
                // Root may write anywhere, but nobody can make a folder in a file or in /proc.
                for folder in ["\(file)/state", file, "/proc/state"] {
                    for role in ["generator", "all"] {
                        let (exit, process) = try await scene.run([role, "--state-dir", folder], on: host)
                        #expect(exit.code == 78, "\(process.report)")
                        #expect(
                            process.errors.lines.last { $0.contains("ERROR") }?.contains(folder) == true,
                            "\(process.report)")
                    }
                }
            }
        }

        @Test(.timeLimit(.minutes(1))) func twoGeneratorsOnOneStateFolderAreRefused() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let first = try await scene.start("generator", on: host)
                try await first.becomesReady()
                let (exit, second) = try await scene.run(["generator"], on: host, within: .seconds(20))
                #expect(exit.code == 78, "\(second.report)")
                #expect(second.errors.lines.last { $0.contains("ERROR") }?.contains("\(scene.folder)/state") == true)
                #expect(first.isRunning)
                try await first.drains()
            }
        }
    }
}
