import ActorBus
import Foundation
import Testbed
import Testing

extension EndToEnd {
    /// What cannot be read goes to the dead-letter queue with the reason, and the service goes on.
    @Suite struct BadInputTests {
        private static let order: [String: String] = [
            "order_id": "42", "customer_email": "\"alice@example.com\"",
            "items": #"[{"product_id": 1, "name": "Laptop Pro 15", "price": 1299.99, "quantity": 1}]"#,
            "total_amount": "1299.99", "currency": "\"EUR\"", "timestamp": "\"2026-01-07T10:30:00Z\"",
            "status": "\"pending\"",
        ]
        private static let payment: [String: String] = [
            "order_id": "42", "customer_email": "\"alice@example.com\"", "amount": "1299.99", "currency": "\"EUR\"",
            "status": "\"success\"", "payment_method": "\"paypal\"", "transaction_id": "\"TXN-42-1736244600\"",
            "timestamp": "\"2026-01-07T10:30:02Z\"", "processing_time": "1.23", "failure_reason": "null",
        ]
        private static let shipment: [String: String] = [
            "order_id": "42", "customer_email": "\"alice@example.com\"", "tracking_number": "\"TRACK-42-1736244605\"",
            "carrier": "\"DHL\"", "estimated_delivery": "\"2026-01-12T10:30:05Z\"", "status": "\"shipped\"",
            "timestamp": "\"2026-01-07T10:30:05Z\"",
        ]

        private static func json(_ fields: [String: String], _ change: [String: String] = [:]) -> [UInt8] {
            let members = fields.merging(change) { $1 }.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }
            return Array("{\(members.joined(separator: ", "))}".utf8)
        }

        /// Values that no field of that name may have, in whatever message it stands.
        private static let wrong: [(String, [String])] = [
            ("order_id", ["\"42\"", "1.5", "9223372036854775808", "null"]), ("customer_email", ["1"]),
            ("timestamp", ["\"yesterday\"", "\"2026-13-01T00:00:00Z\"", "1767781800"]),
            ("status", ["\"unknown\"", "null"]), ("currency", ["[]"]),
        ]

        private static func bodies(of fields: [String: String], _ particular: [[String: String]]) -> [[UInt8]] {
            let texts = ["not JSON", "", "[]", "null", "42", "{", "{}", "\u{feff}{}", "{\"order_id\": NaN}"]
            var bodies = texts.map { Array($0.utf8) }
            let deep = String(repeating: "[", count: 100_000)
            bodies.append(Array(deep.utf8))
            bodies.append(json(fields, ["extra": deep]))
            bodies.append([0xff, 0xfe, 0x00, 0x80])
            bodies.append(json(fields, ["customer_email": "\"#\""]).map { $0 == UInt8(ascii: "#") ? 0xff : $0 })
            // 10 MB of what would otherwise be right.
            bodies.append(json(fields, ["extra": "\"" + String(repeating: "a", count: 10_000_000) + "\""]))
            for name in fields.keys.sorted() { bodies.append(json(fields.filter { $0.key != name })) }
            for (name, values) in wrong where fields[name] != nil {
                for value in values { bodies.append(json(fields, [name: value])) }
            }
            for change in particular { bodies.append(json(fields, change)) }
            return bodies
        }

        private static let amounts = ["-0.01", "1000000.01", "1e300", "\"12.00\"", "null", "-1e-300", "true"]

        @Test(.timeLimit(.minutes(3))) func allOfItEndsInTheDeadLetterQueues() async throws {
            let totals = Self.amounts.map { ["total_amount": $0] }
            let items = [
                "{}", "[1]", #"[{"product_id": 1}]"#,
                #"[{"product_id": 1, "name": "x", "price": -1, "quantity": 1}]"#,
                #"[{"product_id": 1, "name": "x", "price": 1, "quantity": "1"}]"#,
            ].map { ["items": $0] }
            let payments = Self.amounts.map { ["amount": $0] } + [["status": "\"pending\""], ["transaction_id": "7"]]
            let shipments = [["status": "\"pending\""], ["tracking_number": "null"], ["carrier": "3"]]
            let bad: [String: [[UInt8]]] = [
                "orders": Self.bodies(of: Self.order, totals + items),
                "payments": Self.bodies(of: Self.payment, payments),
                "shipments": Self.bodies(of: Self.shipment, shipments),
            ]
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let fleet = try await Fleet.start(scene, on: host)
                for (exchange, bodies) in bad {
                    try await host.publish(
                        bodies.enumerated().map { number, body in
                            Message(
                                body: body,
                                properties: MessageProperties(
                                    contentType: "text/plain", headers: ["note": "kept"], deliveryMode: .transient,
                                    correlationID: "c-\(number)", messageID: "bad-\(number)", timestamp: 1_767_781_800,
                                    type: "test", appID: "tests"))
                        }, to: exchange)
                }
                try await self.expectDeadLetters(host, bad)
                try await expectCounts(fleet, bad)

                // The services still work.
                try await host.publish([Message(body: Self.json(Self.order))], to: "orders")
                try await fleet.notification.log("Order #42 received - Total: €1299.99")
                try await fleet.drain()
                for process in fleet.consumers {
                    #expect(!process.errors.text.contains("\"ERROR\""), "\(process.report)")
                }
            }
        }

        private func expectDeadLetters(_ host: VirtualHost, _ bad: [String: [[UInt8]]]) async throws {
            for (queue, exchange) in Contract.queues {
                let bodies = bad[exchange] ?? []
                // What should not have been taken is named by what is missing.
                do {
                    try await host.waits(for: UInt32(bodies.count), in: ["\(queue).dlq"], within: .seconds(30))
                } catch {
                    Issue.record("\(error)")
                }
                var missing = Dictionary(uniqueKeysWithValues: bodies.enumerated().map { ("bad-\($0)", $1) })
                for letter in try await host.take(from: "\(queue).dlq") {
                    let properties = letter.properties
                    let body = missing.removeValue(forKey: properties.messageID ?? "")
                    #expect(letter.body == body, "another body")
                    #expect(properties.headers["x-error"] == "malformed")
                    let reason = properties.headers["x-reason"]?.text ?? ""
                    #expect(reason.count > 5 && reason.count < 600 && !reason.contains("\n"), "\(reason)")
                    #expect(properties.headers["x-attempts"]?.integer == 1)
                    #expect(properties.headers["x-original-exchange"] == .string(exchange))
                    #expect(properties.headers["x-original-queue"] == .string(queue))
                    let moment = properties.headers["x-first-failed-at"]?.text ?? ""
                    #expect(moment.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/) != nil, "\(moment)")
                    #expect(properties.headers["note"] == "kept")
                    #expect(properties.contentType == "text/plain")
                    #expect(properties.correlationID?.hasPrefix("c-") == true)
                    #expect(properties.timestamp == 1_767_781_800)
                    #expect(properties.type == "test")
                    #expect(properties.appID == "tests")
                }
                for (name, body) in missing {
                    Issue.record("\(queue) took \(name): \(String(decoding: body.prefix(300), as: UTF8.self))")
                }
            }
        }

        private func expectCounts(_ fleet: Fleet, _ bad: [String: [[UInt8]]]) async throws {
            var payments = 0.0
            for payment in fleet.payments {
                payments += try await deadLettered(payment, "payment_processor_queue")
            }
            #expect(payments == Double(bad["orders"]?.count ?? 0))
            for (queue, exchange) in Contract.queues where queue != "payment_processor_queue" {
                let process = queue.hasPrefix("notifications") ? fleet.notification : fleet.fulfillment
                #expect(try await deadLettered(process, queue) == Double(bad[exchange]?.count ?? 0), "\(queue)")
            }
        }

        private func deadLettered(_ process: ChildProcess, _ queue: String) async throws -> Double {
            try await process.metrics()[
                "pipeline_messages_settled_total", ["queue": queue, "outcome": "dead_lettered"]] ?? -1
        }

        /// Bodies of 1 MiB, the most that is looked at, that would be much larger in memory if they were kept as values.
        private static var hostileBodies: [[UInt8]] {
            let size = 1 << 20
            /// `piece` as often as there is room for between a beginning and an end.
            func filled(_ beginning: String, _ piece: String, _ end: String) -> [UInt8] {
                let room = size - beginning.utf8.count - end.utf8.count
                let text = beginning + String(repeating: piece, count: room / piece.utf8.count) + end
                return Array(text.utf8) + [UInt8](repeating: 0x20, count: size - text.utf8.count)
            }
            let nest = String(repeating: "[", count: 60) + String(repeating: "]", count: 60)
            let item = #"{"product_id":1,"name":"","price":1,"quantity":1}"#
            return [
                Array(("[" + String(repeating: "{},", count: 349_524) + "{}]").utf8),
                filled("{\"extra\":[", "{},", "{}]}"), filled("[", "1,", "1]"), filled("[", "\"\",", "\"\"]"),
                filled("[", "[],", "[]]"), filled("{", "\"\":0,", "\"\":0}"),
                filled("{", "\"order_id\":1,", "\"order_id\":1}"), filled("{", #""\u0061":{},"#, "\"a\":0}"),
                filled("[", "{\"\":{}},", "0]"), filled("[", nest + ",", "0]"), filled("", "[", ""),
                filled("", "9", ""),
                filled("{\"order_id\":", "9", "}"), filled("{\"order_id\":0.", "0", "1}"),
                filled("{\"order_id\":\"", #"\u0001"#, "\"}"),
                filled("{\"order_id\":1,\"customer_email\":\"", "é", "\"}"),
                filled(#"{"order_id":1,"customer_email":"a","items":["#, "{},", "{}]}"),
                filled(#"{"order_id":1,"customer_email":"a","items":["#, item + ",", item + "]}"),
            ]
        }

        @Test(.disabled(if: Sanitizer.isOn, "a sanitizer takes memory too"), .timeLimit(.minutes(3)))
        func noBodyTakesMuchMoreMemoryThanItsLength() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let payment = try await scene.start("payment", "--speed", "max", on: host)
                try await payment.becomesReady()
                let bodies = Self.hostileBodies
                for body in bodies { try #require(body.count == 1 << 20) }
                // More than once, so that what one leaves behind would add up.
                for round in 1...2 {
                    try await host.publish(bodies.map { Message(body: $0) }, to: "orders")
                    try await host.waits(
                        for: UInt32(round * bodies.count), in: ["payment_processor_queue.dlq"], within: .seconds(60))
                }
                // A good one whose unknown field is as bad, and whose known ones are read all the same.
                var extra = Self.json(Self.order, ["extra": "[]"])
                let place = try #require(extra.firstIndex(of: UInt8(ascii: "[")))
                extra.insert(
                    contentsOf: Array(String(repeating: "{},", count: 349_000).utf8) + Array("{}".utf8), at: place + 1)
                try await host.publish([Message(body: extra)], to: "orders")
                try await payment.log("Payment of order #42")
                let status = try String(contentsOfFile: "/proc/\(payment.identifier)/status", encoding: .utf8)
                let peak = try #require(status.firstMatch(of: /VmHWM:\s*([0-9]+) kB/).flatMap { Int($0.1) })
                print("after bodies of 1 MiB: a peak of \(peak) kB")
                #expect(peak < 60_000)
                try await payment.drains()
            }
        }

        /// No client of ours sends such a table, but the broker relays it from any other.
        @Test(.timeLimit(.minutes(2)), arguments: [100, 15_000])
        func deepHeadersDoNoHarm(depth: Int) async throws {
            let program = """
                import os, sys
                import pika
                sys.setrecursionlimit(1000000)
                table = {}
                for _ in range(int(sys.argv[1])):
                    table = {"a": table}
                connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
                connection.channel().basic_publish(
                    "orders", "", "deep", pika.BasicProperties(message_id="deep", headers=table))
                connection.close()
                """
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let payment = try await scene.start("payment", "--speed", "max", on: host)
                try await payment.becomesReady()
                let python = try await scene.start(
                    program: try Program.python(), ["-c", program, "\(depth)"], ["AMQP_URL": host.url], "pika")
                #expect(try await python.exit(within: .seconds(30)).code == 0, "\(python.report)")
                try await host.waits(for: 1, in: ["payment_processor_queue.dlq"])
                let letters = try await host.take(from: "payment_processor_queue.dlq")
                #expect(letters.first?.body == Array("deep".utf8))
                #expect(letters.first?.properties.messageID == "deep")
                #expect(letters.first?.properties.headers["x-error"] == "malformed")
                try await host.publish([Message(body: Self.json(Self.order))], to: "orders")
                try await payment.log("Payment of order #42")
                #expect(try await payment.metrics()["pipeline_amqp_reconnects_total"] == 0)
                try await payment.drains()
            }
        }
    }
}
