import ActorBus
import Foundation
import Testing

extension EndToEnd {
    /// The same message twice has the same effect, and counts once.
    @Suite struct RepetitionTests {
        /// What others put into `correlation_id` tells no order from another.
        @Test(.timeLimit(.minutes(1))) func twoOrdersOfOneRequestArePaidTwice() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                try await Witness.watching(host) { witness in
                    let payment = try await scene.start("payment", "--speed", "max", on: host)
                    try await payment.becomesReady()
                    let orders = [1001, 1002].map { number in
                        Message(
                            text: """
                                {"order_id":\(number),"customer_email":"eve@example.com","items":[],"total_amount":5,\
                                "currency":"EUR","timestamp":"2026-01-07T10:30:00Z","status":"pending"}
                                """,
                            properties: MessageProperties(
                                headers: [
                                    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                    "tracestate": "rojo=1", "baggage": "tenant=7",
                                ], correlationID: "req-7", appID: "shop"))
                    }
                    try await host.publish(orders, to: "orders")
                    let seen = try await witness.sees("two payments") { $0.payments.count == 2 }
                    let properties = seen.payments.values.flatMap { $0 }.map(\.1.message.properties)
                    #expect(
                        Set(properties.compactMap(\.correlationID))
                            == ["1001@2026-01-07T10:30:00Z", "1002@2026-01-07T10:30:00Z"])
                    #expect(Set(properties.compactMap(\.messageID)).count == 2)
                    for headers in properties.map(\.headers) {
                        #expect(headers["traceparent"]?.text?.hasPrefix("00-4bf92f3577b34da6a3ce929d0e0e4736-") == true)
                        #expect(headers["tracestate"] == "rojo=1" && headers["baggage"] == "tenant=7")
                    }
                    try await eventually("both are counted") {
                        let metrics = try await payment.metrics()
                        let counts = ["success", "failed"].map {
                            metrics["payments_processed_total", ["status": $0]] ?? 0
                        }
                        return counts[0] + counts[1] == 2
                    }
                    try await payment.drains()
                }
            }
        }

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
