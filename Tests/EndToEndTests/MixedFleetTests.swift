import ActorBus
import Foundation
import Testing

extension EndToEnd {
    /// Our services beside a client that does what the original did.
    @Suite struct MixedFleetTests {
        /// The original's exchanges and queues, its publishing without properties, and readers with queues of their own.
        private static let original = """
            import json, os, sys, threading
            import pika

            connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
            channel = connection.channel()
            for exchange in ("orders", "payments", "shipments"):
                channel.exchange_declare(exchange=exchange, exchange_type="fanout", durable=True)
            for queue, exchange in (
                ("payment_processor_queue", "orders"), ("notifications_orders_queue", "orders"),
                ("fulfillment_processor_queue", "payments"), ("notifications_payments_queue", "payments"),
                ("notifications_shipments_queue", "shipments")):
                channel.queue_declare(queue=queue, durable=True)
                channel.queue_bind(exchange=exchange, queue=queue)

            if sys.argv[1] == "publish":
                print("ready", flush=True)
                for line in sys.stdin:
                    exchange, body = line.rstrip("\\n").split(" ", 1)
                    channel.basic_publish(exchange=exchange, routing_key="", body=body)
                    print("published", flush=True)
                connection.close()
            else:
                def show(channel, method, properties, body):
                    print(method.exchange + " " + body.decode(), flush=True)
                    channel.basic_ack(method.delivery_tag)
                channel.basic_qos(prefetch_count=1)
                for exchange in ("payments", "shipments"):
                    queue = "reader_" + exchange
                    channel.queue_declare(queue=queue, durable=True)
                    channel.queue_bind(exchange=exchange, queue=queue)
                    channel.basic_consume(queue=queue, on_message_callback=show)
                print("ready", flush=True)
                channel.start_consuming()
            """

        private static func start(_ mode: String, _ scene: Scene, _ host: VirtualHost) async throws -> ChildProcess {
            let process = try await scene.start(
                program: try Program.python(), ["-c", original, mode], ["AMQP_URL": host.url], "pika \(mode)",
                standardInput: mode == "publish")
            try await process.printed("that it is ready") { $0 == "ready" }
            return process
        }

        private static func order(_ number: Int, total: String = "1299.99") -> String {
            """
            orders {"order_id": \(number), "customer_email": "alice@example.com", "items": [{"product_id": 1, \
            "name": "Laptop Pro 15", "price": \(total), "quantity": 1}], "total_amount": \(total), "currency": "EUR", \
            "timestamp": "2026-01-07T10:30:00Z", "status": "pending"}
            """
        }

        @Test(.timeLimit(.minutes(2)), arguments: [true, false])
        func ordersOfTheOriginalAreWorkedOn(oursFirst: Bool) async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                var fleet: Fleet?
                if oursFirst { fleet = try await Fleet.start(scene, on: host) }
                let reader = try await Self.start("read", scene, host)
                let publisher = try await Self.start("publish", scene, host)
                for number in 1...20 { try publisher.send(Self.order(number)) }
                publisher.closeInput()
                #expect(try await publisher.exit(within: .seconds(20)).code == 0, "\(publisher.report)")
                if !oursFirst { fleet = try await Fleet.start(scene, on: host) }

                try await eventually("20 payments and their shipments") {
                    let read = reader.output.lines.dropFirst()
                    let payments = read.filter { $0.hasPrefix("payments ") }
                    let paid = payments.filter { $0.contains("\"success\"") }
                    return payments.count == 20 && read.count == 20 + paid.count
                }
                try expectShapes(reader.output.lines.dropFirst())
                guard let fleet else { return }
                try await eventually("a notice of each order") {
                    try await fleet.notification.metrics()[
                        "notifications_sent_total", ["type": "order_confirmation", "topic": "orders"]] == 20
                }
                #expect(fleet.notification.errors.text.contains("Order #1 received - Total: €1299.99"))
                try await fleet.drain()
                let depths = try await host.depths(of: Contract.deadLetterQueues)
                #expect(depths.values.allSatisfy { $0 == 0 }, "\(depths)")
            }
        }

        /// Keys and types are those of the original, nulls are written, and a repeated message has the same numbers.
        private func expectShapes(_ lines: some Sequence<String>) throws {
            var transactions: Set<String> = []
            for line in lines {
                let parts = line.split(separator: " ", maxSplits: 1)
                guard parts.count == 2,
                    let fields = try JSONSerialization.jsonObject(with: Data(parts[1].utf8)) as? [String: Any],
                    let number = fields["order_id"] as? Int
                else { throw Overdue("no message: \(line)") }
                let seconds = 1_767_781_800  // 2026-01-07T10:30:00Z
                #expect((fields["timestamp"] as? String)?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/) != nil)
                if parts[0] == "payments" {
                    #expect(
                        Set(fields.keys) == [
                            "order_id", "customer_email", "amount", "currency", "status", "payment_method",
                            "transaction_id", "timestamp", "processing_time", "failure_reason",
                        ])
                    #expect(parts[1].contains("\"amount\":1299.99"), "\(parts[1])")
                    let isPaid = fields["status"] as? String == "success"
                    #expect(isPaid == (fields["failure_reason"] is NSNull))
                    if !isPaid {
                        let reasons = ["Insufficient funds", "Card expired", "Fraud detected", "Network error"]
                        #expect(reasons.contains(fields["failure_reason"] as? String ?? ""))
                    }
                    #expect(
                        ["credit_card", "paypal", "bank_transfer"].contains(fields["payment_method"] as? String ?? ""))
                    #expect(fields["transaction_id"] as? String == "TXN-\(number)-\(seconds)")
                    let time = fields["processing_time"] as? Double ?? 0
                    #expect((0.5...2.0).contains(time))
                    transactions.insert(fields["transaction_id"] as? String ?? "")
                } else {
                    #expect(
                        Set(fields.keys) == [
                            "order_id", "customer_email", "tracking_number", "carrier", "estimated_delivery", "status",
                            "timestamp",
                        ])
                    #expect(fields["status"] as? String == "shipped")
                    #expect(fields["tracking_number"] as? String == "TRACK-\(number)-\(seconds)")
                    #expect(["DHL", "FedEx", "UPS", "USPS"].contains(fields["carrier"] as? String ?? ""))
                }
            }
            #expect(transactions.count == 20)
        }

        @Test(.timeLimit(.minutes(2))) func paymentsOfTheOriginalAreRead() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let reader = try await Self.start("read", scene, host)
                let fulfillment = try await scene.start("fulfillment", "--speed", "max", on: host)
                let notification = try await scene.start("notification", on: host)
                let publisher = try await Self.start("publish", scene, host)
                func payment(_ number: Int, _ rest: String) -> String {
                    """
                    payments {"order_id": \(number), "customer_email": "bob@example.com", "amount": 59.97000000000001, \
                    "currency": "EUR", "timestamp": "2026-01-07T10:30:02.123456+00:00", "processing_time": 1.23, \(rest)}
                    """
                }
                try publisher.send(
                    payment(
                        1,
                        #""status": "failed", "payment_method": null, "transaction_id": null, "failure_reason": "Card expired""#
                    ))
                try publisher.send(
                    payment(
                        2,
                        #""status": "success", "payment_method": "invoice", "transaction_id": "TXN-2-1767781805", "failure_reason": null"#
                    ))
                try publisher.send(
                    payment(
                        3,
                        #""status": "success", "payment_method": "paypal", "transaction_id": "ours", "failure_reason": null, "more": [1]"#
                    ))
                try await notification.log("Payment failed for order #1 - Card expired")
                try await notification.log("Payment successful for order #2")
                try await notification.log("Order #2 shipped - Tracking: TRACK-2-1767781805")
                // Not of our making, so the payment's own time counts.
                try await notification.log("Order #3 shipped - Tracking: TRACK-3-1767781802")
                try await reader.printed("the shipment of order 3") {
                    $0.hasPrefix("shipments ") && $0.contains("TRACK-3-1767781802")
                }
                #expect(!reader.output.lines.contains { $0.hasPrefix("shipments") && $0.contains("\"order_id\":1,") })
                try await fulfillment.drains()
                try await notification.drains()
                let depths = try await host.depths(of: Contract.mainQueues + Contract.deadLetterQueues)
                #expect(
                    depths.filter { $0.key != "payment_processor_queue" }.values.allSatisfy { $0 == 0 }, "\(depths)")
            }
        }
    }
}
