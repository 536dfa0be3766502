import Foundation
import Testing

extension EndToEnd {
    /// The generator by itself.
    @Suite struct GeneratorTests {
        /// The interval between batches is no part of its end.
        @Test(.timeLimit(.minutes(1))) func itEndsWithItsLastConfirm() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let (exit, generator) = try await scene.run(
                    ["generator", "--max-orders", "3", "--batch", "5", "--interval", "3000-3000"], on: host,
                    within: .seconds(20))
                #expect(exit.code == 0, "\(generator.report)")
                let depths = try await host.depths(of: ["payment_processor_queue"])
                #expect(depths == ["payment_processor_queue": 3])
            }
        }

        /// A batch larger than a group is written down in several, all of it at once as far as the interval goes.
        @Test(.timeLimit(.minutes(1))) func aLargeBatchIsWhole() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let (exit, generator) = try await scene.run(
                    ["generator", "--max-orders", "1000", "--batch", "1000", "--interval", "3000-3000"], on: host,
                    within: .seconds(30))
                #expect(exit.code == 0, "\(generator.report)")
                let depths = try await host.depths(of: ["payment_processor_queue"])
                #expect(depths == ["payment_processor_queue": 1000])
            }
        }
    }
}
