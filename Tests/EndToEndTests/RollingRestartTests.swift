import ActorBus
import Foundation
import LocalBroker
import Testbed
import Testing

extension Faults {
    /// What an upgrade and an outage do to a cluster: each of its nodes goes and comes back, while orders flow.
    @Suite struct RollingRestartTests {
        /// How a node goes and comes back.
        private enum Restart: CaseIterable {
            /// `rabbitmqctl stop_app` and `start_app`: the Erlang machine stays.
            case application
            /// SIGTERM, as of a rolling upgrade.
            case graceful
            /// `kill -9`.
            case killed

            func callAsFunction(_ node: Int, of broker: LocalBroker) async throws {
                switch self {
                case .application:
                    try await broker.rabbitmqctl(["stop_app"], node: node)
                    try await broker.rabbitmqctl(["start_app"], node: node, timeout: .seconds(120))
                case .graceful:
                    try await broker.terminate(node: node)
                    try await broker.restart(node: node)
                case .killed:
                    try await broker.kill(node: node)
                    try await broker.restart(node: node)
                }
            }
        }

        private static let orders = 2_000

        /// No service ends, and nothing is lost.
        @Test(.timeLimit(.minutes(15)), arguments: ["classic", "quorum"])
        func everyNodeOfAClusterIsRestarted(_ type: String) async throws {
            let broker = try await LocalBroker.start(LocalBrokerOptions(nodes: 3))
            try await withScene { scene in
                let host = VirtualHost(of: broker)
                // Its queues go and come back with the pipeline's: RabbitMQ routes an event past a classic queue whose node is
                // away, and confirms it when any other queue took it.
                try await Witness.watching(host, type == "quorum" ? .quorum() : .classic) { witness in
                    let fleet = try await Fleet.start(scene, on: host, ["--speed", "100", "--queue-type", type])
                    let generator = try await scene.start(
                        "generator", "--speed", "150", "--queue-type", type, on: host)
                    try await witness.sees("the beginning") { $0.orders.count >= 20 }
                    for restart in Restart.allCases {
                        for node in broker.nodes.indices {
                            try await restart(node, of: broker)
                            for process in fleet.consumers + [generator] {
                                do {
                                    try await process.becomesReady(within: .seconds(120))
                                } catch {
                                    throw Overdue("\(error), after \(restart) of node \(node): \(process.report)")
                                }
                            }
                            let before = witness.now
                            try await witness.sees("work after \(restart) of node \(node)", within: .seconds(120)) {
                                $0.orders.count > before.orders.count && $0.payments.count > before.payments.count
                            }
                        }
                    }
                    try await witness.sees("all orders", within: .seconds(300)) { $0.orders.count >= Self.orders }
                    try await generator.drains()
                    let seen = try await witness.settlesDown(within: .seconds(180))
                    // Every number that the generator gave.
                    #expect(Set(seen.orders.keys) == Set(1...Int64(seen.orders.count)))
                    seen.expectConsistent(orders: seen.orders.count)
                    try await host.isEmptied(by: fleet.consumers)
                }
            }
            await broker.stop()
        }
    }
}
