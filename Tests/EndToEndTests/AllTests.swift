import ActorBus
import Foundation
import Testing

extension EndToEnd {
    /// `pipeline-run all` from start to end.
    @Suite struct AllTests {
        private let fast = ["all", "--speed", "max"]

        @Test(.timeLimit(.minutes(3))) func withAPrivateBroker() async throws {
            try await withScene { scene in
                let (exit, process) = try await scene.run(
                    fast + ["--max-orders", "500", "--seed", "7"], within: .seconds(150))
                #expect(exit.code == 0, "\(process.report)")
                let result = try RunResult(of: process)
                result.expectSettled(orders: 500)
                #expect(abs(Double(result.paymentsSuccess) / 500 - 0.9) <= 0.05)
                #expect(scene.processesLeft().isEmpty)
                // A clean run has nothing to warn of.
                for word in ["WARNING", "ERROR"] {
                    let lines = process.errors.lines.filter { $0.contains("\"\(word)\"") }
                    #expect(lines.isEmpty)
                }
            }
        }

        @Test(.timeLimit(.minutes(2))) func anExternalBrokerIsLeftEmpty() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let (exit, process) = try await scene.run(
                    fast + ["--max-orders", "100", "--concurrency", "8"], on: host)
                #expect(exit.code == 0, "\(process.report)")
                try RunResult(of: process).expectSettled(orders: 100)
                let depths = try await host.depths(of: Contract.mainQueues + Contract.deadLetterQueues)
                #expect(depths.values.allSatisfy { $0 == 0 }, "\(depths)")
            }
        }

        @Test(.timeLimit(.minutes(2)), arguments: [("0", 0), ("1", 40)])
        func theSuccessRateIsExactAtItsEnds(rate: String, successes: Int) async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let (exit, process) = try await scene.run(
                    fast + ["--max-orders", "40", "--success-rate", rate], on: host)
                #expect(exit.code == 0, "\(process.report)")
                let result = try RunResult(of: process)
                result.expectSettled(orders: 40)
                #expect(result.paymentsSuccess == successes)
            }
        }

        @Test(.timeLimit(.minutes(2))) func theOrderNumberGoesOnAfterARestart() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                try await Witness.watching(host) { witness in
                    for end in [10, 25] {
                        let orders = end == 10 ? "10" : "15"
                        let (exit, process) = try await scene.run(fast + ["--max-orders", orders], on: host)
                        #expect(exit.code == 0, "\(process.report)")
                        try RunResult(of: process).expectSettled(orders: end == 10 ? 10 : 15)
                        let seen = try await witness.seesSettled(end)
                        #expect(Set(seen.orders.keys) == Set((1...end).map(Int64.init)))
                        #expect(seen.orders.values.allSatisfy { $0.count == 1 })
                    }
                    witness.now.expectConsistent(orders: 25)
                    #expect(witness.now.duplicates == 0)
                }
            }
        }

        @Test(.timeLimit(.minutes(2))) func ctrlCEndsEverything() async throws {
            try await withScene { scene in
                let process = try await scene.start("all", "--speed", "50")
                try await process.log("Payment of order", within: .seconds(60))
                // A terminal sends it to every process of the group.
                process.signalGroup(SIGINT)
                let exit = try await process.exit(within: .seconds(40))
                #expect(exit.code == 0, "\(process.report)")
                let result = try RunResult(of: process)
                #expect(result.lost == 0)
                #expect(result.orders > 0)
                #expect(scene.processesLeft().isEmpty)
            }
        }
    }
}
