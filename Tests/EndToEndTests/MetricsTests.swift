import Foundation
import Testing

extension EndToEnd {
    /// The page of a service before it has done anything: every name and label that dashboards and alerts may use is there.
    @Suite struct MetricsTests {
        private static let queuesOf = [
            "generator": [], "payment": ["payment_processor_queue"], "fulfillment": ["fulfillment_processor_queue"],
            "notification": [
                "notifications_orders_queue", "notifications_payments_queue", "notifications_shipments_queue",
            ],
        ]

        private static let own: [String: [(String, [[String: String]])]] = [
            "generator": [("orders_generated_total", [[:]]), ("orders_per_second", [[:]])],
            "payment": [
                ("payments_processed_total", [["status": "success"], ["status": "failed"]]),
                ("payment_amount_total", [["status": "success"], ["status": "failed"]]),
                ("payment_processing_duration_seconds_count", [[:]]),
            ],
            "fulfillment": [
                ("shipments_created_total", [[:]]), ("fulfillment_processing_duration_seconds_count", [[:]]),
            ],
            "notification": [
                (
                    "notifications_sent_total",
                    [
                        ["type": "order_confirmation", "topic": "orders"],
                        ["type": "payment_success", "topic": "payments"],
                        ["type": "payment_failed", "topic": "payments"],
                        ["type": "shipment_notification", "topic": "shipments"],
                    ]
                )
            ],
        ]

        private static let buckets = [
            "payment_processing_duration_seconds": "0.1 0.25 0.5 0.75 1.0 1.25 1.5 1.75 2.0 2.5 5.0 10.0 +Inf",
            "fulfillment_processing_duration_seconds": "0.25 0.5 1.0 1.5 2.0 2.5 3.0 4.0 5.0 10.0 +Inf",
            "pipeline_end_to_end_seconds":
                "0.005 0.01 0.025 0.05 0.1 0.25 0.5 1.0 2.5 5.0 10.0 30.0 60.0 300.0 +Inf",
        ]

        @Test(.timeLimit(.minutes(2))) func everythingIsThereAtZeroFromTheStart() async throws {
            try await withScene { scene in
                for (service, own) in Self.own.sorted(by: { $0.key < $1.key }) {
                    // Nothing listens on port 1: the page must not depend on a broker.
                    let process = try await scene.start(
                        [service, "--connect-delay", "60", "--interval", "3000-3000"],
                        environment: ["AMQP_URL": "amqp://127.0.0.1:1/"])
                    let metrics = try await process.metrics()
                    for (name, labels) in own {
                        #expect(metrics.labels(of: name) == Set(labels), "\(service): \(name)")
                        for labels in labels { #expect(metrics[name, labels] == 0, "\(service): \(name) \(labels)") }
                    }
                    let others = Self.own.filter { $0.key != service }.values.flatMap { $0 }.map(\.0)
                    for name in others { #expect(metrics.labels(of: name).isEmpty, "\(service) shows \(name)") }
                    expectCommon(metrics, service)
                    let readiness = try await process.ready()
                    #expect(readiness.status == 503)
                    #expect(readiness.body.count > 10, "a line of why, not \(readiness.body)")
                    #expect(try await HTTP.get(try await process.port(), "/livez").status == 200)
                    #expect(try await HTTP.get(try await process.port(), "/nothing").status == 404)
                    process.signal(SIGTERM)
                    let exit = try await process.exit(within: .seconds(20))
                    #expect(exit.code == 0, "a stop before the first connection: \(process.report)")
                }
            }
        }

        private func expectCommon(_ metrics: Exposition, _ service: String) {
            #expect(metrics["pipeline_amqp_connection_up"] == 0)
            #expect(metrics["pipeline_amqp_reconnects_total"] == 0)
            for result in ["confirmed", "refused", "returned", "unknown"] {
                #expect(metrics["pipeline_publisher_confirms_total", ["result": result]] == 0)
            }
            let queues = Self.queuesOf[service] ?? []
            let inFlight = Set(queues.map { ["queue": $0] })
            #expect(metrics.labels(of: "pipeline_messages_in_flight") == inFlight)
            #expect(metrics.labels(of: "pipeline_messages_redelivered_total") == inFlight)
            let settled = Set(
                queues.flatMap { queue in
                    ["acknowledged", "retried", "dead_lettered", "requeued"].map { ["queue": queue, "outcome": $0] }
                })
            #expect(metrics.labels(of: "pipeline_messages_settled_total") == settled)
            #expect(metrics["pipeline_end_to_end_seconds_count"] == 0)
            let build = metrics.labels(of: "pipeline_build_info")
            #expect(build.count == 1)
            #expect(Set(build.first.map { Array($0.keys) } ?? []) == ["version", "revision"])
            for name in ["process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds"] {
                #expect((metrics[name] ?? 0) > 0, "\(name)")
            }
            #expect((metrics["process_cpu_seconds_total"] ?? -1) >= 0)
            for (name, bounds) in Self.buckets where metrics.types[name] != nil {
                #expect(metrics.types[name] == "histogram")
                let shown = Set(metrics.labels(of: "\(name)_bucket").compactMap { $0["le"].flatMap(Double.init) })
                let expected = Set(bounds.split(separator: " ").compactMap { Double($0) })
                #expect(shown == expected, "\(name)")
            }
        }

        @Test(.timeLimit(.minutes(2))) func promtoolHasNoComplaint() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let all = try await scene.start(["all", "--speed", "50"], on: host)
                try await all.log(" shipped")
                for service in ["generator", "payment", "fulfillment", "notification"] {
                    try await all.becomesReady(service)
                    let metrics = try await all.metrics(of: service)
                    let promtool = try await scene.start(
                        program: "/usr/bin/env", ["promtool", "check", "metrics"], [:], "promtool", standardInput: true)
                    try promtool.send(metrics.text)
                    promtool.closeInput()
                    let exit = try await promtool.exit(within: .seconds(20))
                    #expect(exit.code == 0, "\(promtool.report)")
                    #expect(promtool.errors.lines.isEmpty, "\(promtool.report)")
                    let isGenerator = metrics["orders_generated_total"] != nil
                    #expect(isGenerator == (service == "generator"), "each port its own service")
                }
                try await all.drains()
            }
        }
    }
}
