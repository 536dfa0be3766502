import ActorBus
import Foundation
import LocalBroker
import Testing

extension Faults {
    /// What happens to the broker in the middle of work.
    @Suite struct BrokerFaultTests {
        @Test(.timeLimit(.minutes(5))) func theBrokerIsKilledAndRestarted() async throws {
            let broker = try await LocalBroker.start()
            try await withScene { scene in
                let host = VirtualHost(of: broker)
                try await Witness.watching(host) { witness in
                    let fleet = try await Fleet.start(scene, on: host, ["--speed", "100"])
                    let generator = try await scene.start(
                        "generator", "--speed", "200", "--max-orders", "500", on: host)
                    try await witness.sees("the middle") { $0.orders.count >= 150 }
                    try await broker.kill(node: 0)
                    #expect(witness.now.orders.count < 500, "the broker was killed too late")
                    for process in fleet.consumers + [generator] {
                        try await eventually(within: .seconds(15), "not ready: \(process.name)") {
                            try await process.ready().status == 503
                        }
                        #expect(try await HTTP.get(try await process.port(), "/livez").status == 200)
                        #expect(try await process.metrics()["pipeline_amqp_connection_up"] == 0)
                    }
                    try await broker.restart(node: 0)
                    for process in fleet.consumers { try await process.becomesReady(within: .seconds(60)) }
                    #expect(try await generator.exit(within: .seconds(120)).code == 0, "\(generator.report)")
                    let seen = try await witness.seesSettled(500, within: .seconds(120))
                    seen.expectConsistent(orders: 500)
                    for process in fleet.consumers {
                        let metrics = try await process.metrics()
                        #expect((metrics["pipeline_amqp_reconnects_total"] ?? 0) >= 1)
                        #expect(metrics["pipeline_amqp_connection_up"] == 1)
                    }
                    print("killed broker: \(seen.duplicates) messages came twice")
                    try await host.isEmptied(by: fleet.consumers)
                }
            }
            await broker.stop()
        }

        @Test(.timeLimit(.minutes(5))) func theBrokerIsKilledUnderAll() async throws {
            let broker = try await LocalBroker.start()
            try await withScene { scene in
                let host = VirtualHost(of: broker)
                try await Witness.watching(host) { witness in
                    let all = try await scene.start("all", "--speed", "200", "--max-orders", "500", on: host)
                    try await witness.sees("the middle") { $0.orders.count >= 150 }
                    try await broker.restart(node: 0)
                    let exit = try await all.exit(within: .seconds(180))
                    #expect(exit.code == 0, "\(all.report)")
                    try RunResult(of: all).expectSettled(orders: 500)
                    let seen = try await witness.seesSettled(500)
                    seen.expectConsistent(orders: 500)
                }
                let depths = try await host.depths(of: Contract.mainQueues + Contract.deadLetterQueues)
                #expect(depths.values.allSatisfy { $0 == 0 }, "\(depths)")
            }
            await broker.stop()
        }

        @Test(.timeLimit(.minutes(5))) func aFrozenBrokerIsNoticed() async throws {
            let broker = try await LocalBroker.start()
            try await withScene { scene in
                let host = VirtualHost(of: broker)
                try await Witness.watching(host) { witness in
                    let heartbeat = ["RABBITMQ_HEARTBEAT": "5"]
                    let fleet = try await Fleet.start(scene, on: host, ["--speed", "50"], environment: heartbeat)
                    let generator = try await scene.start(
                        "generator", "--speed", "50", on: host, environment: heartbeat)
                    try await witness.sees("some work") { $0.shipments.count >= 10 }
                    try broker.freeze(node: 0)
                    let frozen = ContinuousClock.now
                    for process in fleet.consumers + [generator] {
                        try await eventually(
                            within: max(.milliseconds(1), .seconds(15) - (ContinuousClock.now - frozen)),
                            "\(process.name) notices that the broker is frozen"
                        ) { try await process.ready().status == 503 }
                    }
                    print("frozen broker noticed by all after \(ContinuousClock.now - frozen)")
                    try broker.thaw(node: 0)
                    for process in fleet.consumers + [generator] {
                        try await process.becomesReady(within: .seconds(60))
                    }
                    let before = witness.now.orders.count
                    try await witness.sees("new work") { $0.orders.count > before + 5 }
                    try await generator.drains()
                    let seen = try await witness.settlesDown()
                    seen.expectConsistent(orders: seen.orders.count)
                    try await fleet.drain()
                }
            }
            await broker.stop()
        }

        @Test(.timeLimit(.minutes(2))) func aFrozenBrokerHoldsUpNoEnd() async throws {
            let broker = try await LocalBroker.start()
            try await withScene { scene in
                let host = VirtualHost(of: broker)
                let all = try await scene.start("all", "--speed", "20", "--drain-timeout", "2", on: host)
                _ = try await all.log("Payment of order")
                try broker.freeze(node: 0)
                all.signal(SIGTERM)
                _ = try await all.exit(within: .seconds(20))
                let result = try RunResult(of: all)
                #expect(result.lost == 0, "nobody can tell")
            }
            await broker.stop()
        }

        @Test(.timeLimit(.minutes(5))) func theLeaderOfAClusterIsKilled() async throws {
            let broker = try await LocalBroker.start(LocalBrokerOptions(nodes: 3))
            try await withScene { scene in
                let host = VirtualHost(of: broker)
                try await Witness.watching(host, .quorum()) { witness in
                    let flags = ["--speed", "100", "--queue-type", "quorum"]
                    let fleet = try await Fleet.start(scene, on: host, flags)
                    let leaders = try await broker.rabbitmqctl(["list_queues", "name", "type", "leader"])
                    let line = leaders.split(separator: "\n").first { $0.hasPrefix("payment_processor_queue\t") }
                    let words = line?.split(separator: "\t") ?? []
                    #expect(words.dropFirst().first == "quorum", "\(leaders)")
                    guard let leader = broker.nodes.firstIndex(where: { $0.name == words.last ?? "" }) else {
                        throw Overdue("no leader: \(leaders)")
                    }
                    // Only now, since rabbitmqctl takes seconds.
                    let generator = try await scene.start(["generator", "--max-orders", "300"] + flags, on: host)
                    try await witness.sees("the middle") { $0.orders.count >= 60 }
                    try await broker.kill(node: leader)
                    #expect(witness.now.orders.count < 300, "the leader was killed too late")
                    #expect(try await generator.exit(within: .seconds(120)).code == 0, "\(generator.report)")
                    let seen = try await witness.seesSettled(300, within: .seconds(120))
                    seen.expectConsistent(orders: 300)
                    try await host.isEmptied(by: fleet.consumers)
                }
            }
            await broker.stop()
        }
    }
}
