import ActorBus
import Foundation
import Testing

extension EndToEnd {
    /// The same message twice has the same effect, and counts once.
    @Suite struct RepetitionTests {
        @Test(.timeLimit(.minutes(2)), arguments: [true, false])
        func aRepeatedOrderIsPaidOnce(withProperties: Bool) async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                try await Witness.watching(host) { witness in
                    let payment = try await scene.start("payment", "--speed", "max", on: host)
                    let fulfillment = try await scene.start("fulfillment", "--speed", "max", on: host)
                    let notification = try await scene.start("notification", "--speed", "max", on: host)
                    for process in [payment, fulfillment, notification] { try await process.becomesReady() }
                    let orders = (1...10).map { number in
                        Message(
                            text: """
                                {"order_id":\(number),"customer_email":"eve@example.com","items":[{"product_id":1,\
                                "name":"Mouse","price":29.99,"quantity":2}],"total_amount":59.98,"currency":"EUR",\
                                "timestamp":"2026-01-07T10:30:00Z","status":"pending"}
                                """,
                            properties: withProperties
                                ? MessageProperties(correlationID: "o-\(number)", messageID: "order-\(number)")
                                : MessageProperties())
                    }
                    for _ in 1...3 { try await host.publish(orders, to: "orders") }
                    let seen = try await witness.sees("each payment three times") { seen in
                        seen.payments.values.reduce(0) { $0 + $1.count } == 30
                            && seen.shipments.values.reduce(0) { $0 + $1.count }
                                == 3 * seen.payments.values.filter { $0[0].0.status == "success" }.count
                    }
                    seen.expectConsistent(orders: 10)
                    for payments in seen.payments.values {
                        #expect(Set(payments.map { $0.1.message.properties.messageID }).count == 1)
                        #expect(Set(payments.map { $0.1.message.properties.correlationID }).count == 1)
                    }
                    for shipments in seen.shipments.values {
                        #expect(Set(shipments.map { $0.1.message.properties.messageID }).count == 1)
                    }
                    let paid = Double(seen.shipments.count)
                    let counts = try await payment.metrics()
                    #expect(counts["payments_processed_total", ["status": "success"]] == paid)
                    #expect(counts["payments_processed_total", ["status": "failed"]] == 10 - paid)
                    #expect(try await fulfillment.metrics()["shipments_created_total"] == paid)
                    let queue = ["queue": "notifications_shipments_queue", "outcome": "acknowledged"]
                    try await eventually("every shipment is acknowledged") {
                        try await notification.metrics()["pipeline_messages_settled_total", queue] == 3 * paid
                    }
                    let notices = try await notification.metrics()
                    #expect(
                        notices["notifications_sent_total", ["type": "order_confirmation", "topic": "orders"]] == 10)
                    #expect(
                        notices["notifications_sent_total", ["type": "shipment_notification", "topic": "shipments"]]
                            == paid)
                    for process in [payment, fulfillment, notification] { try await process.drains() }
                }
            }
        }
    }
}
