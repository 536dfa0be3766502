import ActorBus
import Foundation
import Testing

extension EndToEnd {
    /// Five processes on one broker, as in production.
    @Suite struct FleetTests {
        @Test(.timeLimit(.minutes(3))) func fiveProcessesShareTheWork() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                try await Witness.watching(host) { witness in
                    let fleet = try await Fleet.start(scene, on: host, ["--speed", "100"])
                    let (exit, generator) = try await scene.run(
                        ["generator", "--speed", "200", "--max-orders", "150"], on: host)
                    #expect(exit.code == 0, "\(generator.report)")
                    #expect(generator.output.lines.isEmpty, "only data belongs on standard output")
                    let seen = try await witness.seesSettled(150)
                    seen.expectConsistent(orders: 150)
                    #expect(seen.duplicates == 0)
                    expectProperties(seen)
                    try await expectMetrics(fleet, seen)
                    try await host.isEmptied(by: fleet.consumers)
                }
            }
        }

        /// The properties that every message has, and those that an order's messages share.
        private func expectProperties(_ seen: Witness.Evidence) {
            var identities: Set<String> = []
            for (number, orders) in seen.orders {
                let order = orders[0].1.message
                let payment = seen.payments[number]?.first?.1.message
                let shipment = seen.shipments[number]?.first?.1.message
                identities.insert(order.properties.correlationID ?? "")
                var messageIDs: Set<String> = []
                let expected = [
                    (order, "order", "order-generator"), (payment, "payment", "payment-service"),
                    (shipment, "shipment", "fulfillment-service"),
                ]
                for case (let message?, let type, let app) in expected {
                    let properties = message.properties
                    #expect(properties.type == type)
                    #expect(properties.appID == app)
                    #expect(properties.contentType == "application/json")
                    #expect(properties.deliveryMode == .persistent)
                    #expect(properties.correlationID == order.properties.correlationID)
                    #expect(properties.timestamp != nil)
                    #expect(
                        properties.headers["x-order-time"]?.integer == order.properties.headers["x-order-time"]?.integer
                    )
                    let trace = properties.headers["traceparent"]?.text ?? ""
                    #expect(trace.wholeMatch(of: /00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}/) != nil, "\(trace)")
                    // One trace per order, a span of its own per event.
                    #expect(trace.prefix(35) == order.properties.headers["traceparent"]?.text?.prefix(35))
                    messageIDs.insert(properties.messageID ?? "")
                }
                #expect(messageIDs.count == (shipment == nil ? 2 : 3))
                #expect(!messageIDs.contains(""))
            }
            #expect(identities.count == seen.orders.count)
        }

        private func expectMetrics(_ fleet: Fleet, _ seen: Witness.Evidence) async throws {
            let successes = seen.shipments.count
            let failures = seen.payments.count - successes
            // The witness sees a shipment before its notice is sent.
            try await eventually("all notices are counted") {
                try await fleet.notification.metrics()["pipeline_end_to_end_seconds_count"]
                    == Double(300 + successes)
            }
            var paid: [String: Double] = [:]
            var amounts: [String: Double] = [:]
            for payment in fleet.payments {
                let metrics = try await payment.metrics()
                var share = 0.0
                for status in ["success", "failed"] {
                    let count = metrics["payments_processed_total", ["status": status]] ?? -1
                    share += count
                    paid[status, default: 0] += count
                    amounts[status, default: 0] += metrics["payment_amount_total", ["status": status]] ?? -1
                }
                #expect(share >= 30, "a replica had only \(share) of 150 orders")
                #expect(metrics["payment_processing_duration_seconds_count"] == share)
                #expect(metrics["pipeline_publisher_confirms_total", ["result": "confirmed"]] == share)
                #expect(metrics["pipeline_amqp_reconnects_total"] == 0)
                #expect(metrics.labels(of: "notifications_sent_total").isEmpty, "each port its own service")
            }
            #expect(paid == ["success": Double(successes), "failed": Double(failures)])
            for status in ["success", "failed"] {
                let sum = seen.payments.values.compactMap { $0.first?.0 }.filter { $0.status == status }
                    .reduce(Decimal(0)) { $0 + $1.amount }
                let shown = amounts[status] ?? -1
                #expect(abs(shown - NSDecimalNumber(decimal: sum).doubleValue) < 0.005, "\(shown) \(sum)")
            }
            let fulfillment = try await fleet.fulfillment.metrics()
            #expect(fulfillment["shipments_created_total"] == Double(successes))
            #expect(fulfillment["fulfillment_processing_duration_seconds_count"] == Double(successes))
            #expect(
                fulfillment[
                    "pipeline_messages_settled_total",
                    ["queue": "fulfillment_processor_queue", "outcome": "acknowledged"]] == 150)
            let notices = try await fleet.notification.metrics()
            let expected = [
                ("order_confirmation", "orders", 150), ("payment_success", "payments", successes),
                ("payment_failed", "payments", failures), ("shipment_notification", "shipments", successes),
            ]
            for (type, topic, count) in expected {
                #expect(notices["notifications_sent_total", ["type": type, "topic": topic]] == Double(count))
            }
        }

        @Test(.timeLimit(.minutes(2))) func theGeneratorShowsItsOrders() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                // Its batch comes at once and the next one not within the test, so it stands still while it is looked at.
                let generator = try await scene.start(
                    ["generator", "--batch", "4-4", "--interval", "3000-3000"], on: host)
                try await generator.becomesReady()
                try await eventually("four orders are counted") {
                    try await generator.metrics()["orders_generated_total"] == 4
                }
                let metrics = try await generator.metrics()
                let rate = metrics["orders_per_second"] ?? -1
                #expect(abs(rate - 4.0 / 60) < 0.001, "\(rate)")
                #expect(metrics["pipeline_publisher_confirms_total", ["result": "confirmed"]] == 4)
                try await generator.drains()
                try await host.waits(for: 4, in: ["payment_processor_queue", "notifications_orders_queue"])
            }
        }
    }
}
