import Foundation
import Testing

extension EndToEnd {
    /// What `--seed` promises: the same contents and decisions, but for times and identities.
    @Suite struct SeedTests {
        /// What one order became, without times and identities.
        private struct Story: Equatable {
            let order: [String]
            let payment: [String?]
            let shipment: [String?]
        }

        @Test(.timeLimit(.minutes(3))) func theSameSeedTellsTheSameStories() async throws {
            let first = try await stories(["--seed", "7"])
            let second = try await stories(["--seed", "7", "--replicas", "payment=1", "--concurrency", "4"])
            #expect(first == second)
            let other = try await stories(["--seed", "8"])
            #expect(first != other)
        }

        @Test(.timeLimit(.minutes(2))) func withoutASeedEachRunDiffers() async throws {
            let first = try await stories([])
            let second = try await stories([])
            #expect(first.mapValues(\.order) != second.mapValues(\.order))
        }

        private func stories(_ flags: [String]) async throws -> [Int64: Story] {
            var stories: [Int64: Story] = [:]
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                try await Witness.watching(host) { witness in
                    let (exit, process) = try await scene.run(
                        ["all", "--speed", "max", "--max-orders", "60"] + flags, on: host)
                    #expect(exit.code == 0, "\(process.report)")
                    let seen = try await witness.seesSettled(60)
                    seen.expectConsistent(orders: 60)
                    #expect(seen.duplicates == 0)
                    for (number, orders) in seen.orders {
                        guard let order = orders.first?.0, let payment = seen.payments[number]?.first?.0 else {
                            continue
                        }
                        let shipment = seen.shipments[number]?.first?.0
                        stories[number] = Story(
                            order: [order.customerEmail, "\(order.totalAmount)", order.currency, order.status]
                                + order.items.map { "\($0.productId) \($0.name) \($0.price) \($0.quantity)" },
                            payment: [
                                payment.status, "\(payment.amount)", payment.paymentMethod, payment.failureReason,
                            ],
                            shipment: [shipment?.carrier, try shipment.map { "\(try $0.days)" }])
                    }
                }
            }
            #expect(stories.count == 60)
            return stories
        }
    }
}

extension ShipmentMessage {
    /// From the shipment to its estimated delivery, in whole days.
    var days: Int {
        get throws {
            let style = Date.ISO8601FormatStyle()
            let seconds = try style.parse(estimatedDelivery).timeIntervalSince(try style.parse(timestamp))
            guard seconds.truncatingRemainder(dividingBy: 86_400) == 0 else {
                throw Overdue("no whole number of days: \(timestamp) to \(estimatedDelivery)")
            }
            return Int(seconds / 86_400)
        }
    }
}
