import ActorBus
import Foundation
@testable import Pipeline
import Testing

@Suite("The services' metrics")
struct ServiceMetricsTests {
    /// Everything a service of this process can show, as `all` would have it in four registries.
    private func registries(now: @escaping @Sendable () -> Duration = { .zero }) -> [String: PrometheusRegistry] {
        var registries: [String: PrometheusRegistry] = [:]
        for service in ["generator", "payment", "fulfillment", "notification"] {
            let registry = PrometheusRegistry()
            switch service {
            case "generator": _ = GeneratorMetrics(factory: registry, now: now)
            case "payment": _ = PaymentMetrics(factory: registry)
            case "fulfillment": _ = FulfillmentMetrics(factory: registry)
            default: _ = NotificationMetrics(factory: registry)
            }
            registries[service] = registry
        }
        return registries
    }

    @Test("Every own series is there with 0 from the start, and no one else's")
    func zeros() throws {
        let expected: [String: Set<String>] = [
            "generator": ["orders_generated_total", "orders_per_second"],
            "payment": Set([
                #"payments_processed_total{status="success"}"#, #"payments_processed_total{status="failed"}"#,
                #"payment_amount_total{status="success"}"#, #"payment_amount_total{status="failed"}"#,
                "payment_processing_duration_seconds_sum", "payment_processing_duration_seconds_count",
            ]).union(
                ["0.1", "0.25", "0.5", "0.75", "1.0", "1.25", "1.5", "1.75", "2.0", "2.5", "5.0", "10.0", "+Inf"].map {
                    "payment_processing_duration_seconds_bucket{le=\"\($0)\"}"
                }),
            "fulfillment": Set([
                "shipments_created_total",
                "fulfillment_processing_duration_seconds_sum", "fulfillment_processing_duration_seconds_count",
            ]).union(
                ["0.25", "0.5", "1.0", "1.5", "2.0", "2.5", "3.0", "4.0", "5.0", "10.0", "+Inf"].map {
                    "fulfillment_processing_duration_seconds_bucket{le=\"\($0)\"}"
                }),
            "notification": [
                #"notifications_sent_total{type="order_confirmation",topic="orders"}"#,
                #"notifications_sent_total{type="payment_success",topic="payments"}"#,
                #"notifications_sent_total{type="payment_failed",topic="payments"}"#,
                #"notifications_sent_total{type="shipment_notification",topic="shipments"}"#,
            ],
        ]
        for (service, registry) in registries() {
            let shown = try Exposition(registry)
            #expect(Set(shown.samples.keys) == expected[service], "\(service)")
            #expect(Set(shown.samples.values) == ["0"], "\(service)")
        }
    }

    @Test("Orders are counted, and their rate is that of the last minute")
    func generator() throws {
        let registry = PrometheusRegistry()
        let time = Lock(Duration.seconds(1000))
        let metrics = GeneratorMetrics(factory: registry, now: { time.withLock { $0 } })
        metrics.confirmed()
        metrics.confirmed(5)
        #expect(try Exposition(registry)["orders_generated_total"] == "6")
        #expect(try Exposition(registry)["orders_per_second"] == "0.1")
        time.withLock { $0 += .seconds(59) }
        #expect(try Exposition(registry)["orders_per_second"] == "0.1")
        time.withLock { $0 += .seconds(1) }
        #expect(try Exposition(registry)["orders_per_second"] == "0")
        #expect(try Exposition(registry)["orders_generated_total"] == "6")
    }

    @Test("Payments, shipments and notifications are counted where they belong")
    func effects() throws {
        let registry = PrometheusRegistry()
        let payment = PaymentMetrics(factory: registry)
        for _ in 0..<3 { payment.processed(Self.payment(129_999)) }
        payment.processed(Self.payment(5, declined: true))
        payment.took(.milliseconds(750))
        payment.took(.milliseconds(-750))
        let fulfillment = FulfillmentMetrics(factory: registry)
        fulfillment.created()
        fulfillment.took(.seconds(3))
        let notification = NotificationMetrics(factory: registry)
        notification.sent(.paymentFailed)
        let shown = try Exposition(registry)
        #expect(shown[#"payments_processed_total{status="success"}"#] == "3")
        #expect(shown[#"payments_processed_total{status="failed"}"#] == "1")
        #expect(shown[#"payment_amount_total{status="success"}"#] == "3899.97")
        #expect(shown[#"payment_amount_total{status="failed"}"#] == "0.05")
        #expect(shown[#"payment_processing_duration_seconds_bucket{le="0.1"}"#] == "1")
        #expect(shown[#"payment_processing_duration_seconds_bucket{le="0.5"}"#] == "1")
        #expect(shown[#"payment_processing_duration_seconds_bucket{le="0.75"}"#] == "2")
        #expect(shown["payment_processing_duration_seconds_sum"] == "0.75")
        #expect(shown["shipments_created_total"] == "1")
        #expect(shown[#"fulfillment_processing_duration_seconds_bucket{le="2.5"}"#] == "0")
        #expect(shown[#"fulfillment_processing_duration_seconds_bucket{le="3.0"}"#] == "1")
        #expect(shown[#"notifications_sent_total{type="payment_failed",topic="payments"}"#] == "1")
        #expect(shown[#"notifications_sent_total{type="payment_success",topic="payments"}"#] == "0")
    }

    private static func payment(_ cents: Int64, _ currency: String = "EUR", declined: Bool = false) -> Payment {
        let order = Order(
            orderID: 1, customerEmail: "a@example.com", items: [], totalAmount: Money(cents: cents) ?? .zero,
            currency: currency, timestamp: Timestamp(clampingSeconds: 1_767_781_800))
        let answer = ChargeAnswer(
            outcome: declined ? .declined(.cardExpired) : .charged, method: .paypal,
            processingTime: ProcessingTime(hundredths: 1))
        return Payment(of: order, answer: answer, at: order.timestamp)
    }

    @Test("Amounts in other currencies are not added to the euros, and their series are bounded")
    func currencies() throws {
        let registry = PrometheusRegistry()
        let metrics = PaymentMetrics(factory: registry)
        #expect(try Exposition(registry).types["pipeline_payment_amount_other_total"] == nil)
        metrics.processed(Self.payment(100))
        metrics.processed(Self.payment(250, "USD"))
        metrics.processed(Self.payment(50, "USD"))
        metrics.processed(Self.payment(7, "USD", declined: true))
        // A second replica counts together with the first.
        PaymentMetrics(factory: registry).processed(Self.payment(1, "USD"))
        var shown = try Exposition(registry)
        #expect(shown[#"payment_amount_total{status="success"}"#] == "1")
        #expect(shown[#"payment_amount_total{status="failed"}"#] == "0")
        #expect(shown[#"payments_processed_total{status="success"}"#] == "4")
        #expect(shown[#"pipeline_payment_amount_other_total{status="success",currency="USD"}"#] == "3.01")
        #expect(shown[#"pipeline_payment_amount_other_total{status="failed",currency="USD"}"#] == "0.07")
        for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" { metrics.processed(Self.payment(1000, "X\(letter)X")) }
        shown = try Exposition(registry)
        let currencies = shown.order.filter { $0.hasPrefix("pipeline_payment_amount_other_total") }
        #expect(currencies.count == 2 * 11)
        #expect(shown[#"pipeline_payment_amount_other_total{status="success",currency="XIX"}"#] == "10")
        #expect(shown[#"pipeline_payment_amount_other_total{status="success",currency="XJX"}"#] == nil)
        #expect(shown[#"pipeline_payment_amount_other_total{status="success",currency="other"}"#] == "170")
        metrics.processed(Self.payment(300, "USD"))
        #expect(
            try Exposition(registry)[#"pipeline_payment_amount_other_total{status="success",currency="USD"}"#] == "6.01"
        )
        let result = try Promtool.check(registry.exposition())
        #expect(result.status == 0 && result.output.isEmpty, "\(result.output)")
    }

    @Test("The median is that of the last minute, exact, and not shown where there is none")
    func median() throws {
        let registry = PrometheusRegistry()
        let time = Lock(Duration.seconds(5))
        let worker = WorkerMetrics(queues: [], factory: registry, now: { time.withLock { $0 } })
        #expect(try Exposition(registry)["pipeline_end_to_end_median_seconds"] == nil)
        for milliseconds in [10_100, 10_200, 25_000, 10_000, 59_000] {
            worker.effect(after: .milliseconds(milliseconds))
        }
        worker.effect(after: .seconds(-61))
        #expect(try Exposition(registry)["pipeline_end_to_end_median_seconds"] == "10.2")
        #expect(try Exposition(registry)["pipeline_end_to_end_p95_seconds"] == "59")
        time.withLock { $0 += .seconds(60) }
        #expect(try Exposition(registry)["pipeline_end_to_end_median_seconds"] == nil)
        worker.effect(after: .seconds(-2))
        #expect(try Exposition(registry)["pipeline_end_to_end_median_seconds"] == "0")
        worker.effect(after: .seconds(200_000))
        #expect(try Exposition(registry)["pipeline_end_to_end_p95_seconds"] == "200000")
    }

    @Test("A worker shows its queues, its publisher and its connections")
    func worker() throws {
        let registry = PrometheusRegistry()
        let build = BuildInfo(version: "1.2.3", revision: "abc")
        let worker = WorkerMetrics(queues: ["q1", "q2"], factory: registry, build: build)
        let start = try Exposition(registry)
        for queue in ["q1", "q2"] {
            for outcome in ["acknowledged", "retried", "dead_lettered", "requeued"] {
                #expect(start["pipeline_messages_settled_total{queue=\"\(queue)\",outcome=\"\(outcome)\"}"] == "0")
            }
            #expect(start["pipeline_messages_redelivered_total{queue=\"\(queue)\"}"] == "0")
            #expect(start["pipeline_messages_in_flight{queue=\"\(queue)\"}"] == "0")
        }
        for result in ["confirmed", "refused", "returned", "unknown"] {
            #expect(start["pipeline_publisher_confirms_total{result=\"\(result)\"}"] == "0")
        }
        #expect(start["pipeline_amqp_connection_up"] == "0")
        #expect(start["pipeline_amqp_reconnects_total"] == "0")
        #expect(start["pipeline_end_to_end_seconds_count"] == "0")
        let bounds = "0.005 0.01 0.025 0.05 0.1 0.25 0.5 1.0 2.5 5.0 10.0 30.0 60.0 300.0 +Inf"
        for bound in bounds.split(separator: " ") {
            #expect(start["pipeline_end_to_end_seconds_bucket{le=\"\(bound)\"}"] == "0")
        }
        #expect(start[#"pipeline_build_info{version="1.2.3",revision="abc"}"#] == "1")

        let queue = worker.queue("q1")
        queue.began(redelivered: true)
        queue.began(redelivered: false)
        queue.ended()
        queue.settled(.deadLettered)
        worker.queue("q1").settled(.deadLettered)
        worker.published(.returned)
        worker.effect(after: .milliseconds(30))
        worker.effect(after: .seconds(-2))
        let firstIsUp = Lock(true)
        worker.observe(isUp: { firstIsUp.withLock { $0 } }, reconnects: { 2 })
        worker.observe(isUp: { true }, reconnects: { 3 })
        let shown = try Exposition(registry)
        #expect(shown[#"pipeline_messages_in_flight{queue="q1"}"#] == "1")
        #expect(shown[#"pipeline_messages_redelivered_total{queue="q1"}"#] == "1")
        #expect(shown[#"pipeline_messages_settled_total{queue="q1",outcome="dead_lettered"}"#] == "2")
        #expect(shown[#"pipeline_messages_settled_total{queue="q2",outcome="dead_lettered"}"#] == "0")
        #expect(shown[#"pipeline_publisher_confirms_total{result="returned"}"#] == "1")
        #expect(shown[#"pipeline_end_to_end_seconds_bucket{le="0.005"}"#] == "1")
        #expect(shown[#"pipeline_end_to_end_seconds_bucket{le="0.025"}"#] == "1")
        #expect(shown[#"pipeline_end_to_end_seconds_bucket{le="0.05"}"#] == "2")
        #expect(shown["pipeline_amqp_connection_up"] == "1")
        #expect(shown["pipeline_amqp_reconnects_total"] == "5")
        firstIsUp.withLock { $0 = false }
        #expect(try Exposition(registry)["pipeline_amqp_connection_up"] == "0")
    }

    @Test("A time that was never a latency does not get into the sum")
    func implausible() throws {
        let registry = PrometheusRegistry()
        let worker = WorkerMetrics(queues: [], factory: registry)
        for seconds in [Int64.min / 1_000_000, -61, 3_653 * 86_400, 1_767_781_800, 63_000_000_000] as [Int64] {
            worker.effect(after: .seconds(seconds))
        }
        #expect(try Exposition(registry)["pipeline_end_to_end_seconds_count"] == "0")
        #expect(try Exposition(registry)["pipeline_end_to_end_seconds_sum"] == "0")
        // An outage of days is one.
        for seconds in [-60, 86_400, 86_401, 2_000_000] as [Int64] { worker.effect(after: .seconds(seconds)) }
        #expect(try Exposition(registry)["pipeline_end_to_end_seconds_count"] == "4")
        #expect(try Exposition(registry)["pipeline_end_to_end_seconds_sum"] == "2172801")
    }

    @Test("The process shows true numbers of itself")
    func process() throws {
        let registry = PrometheusRegistry()
        ProcessMetrics.register(in: registry)
        let before = try Exposition(registry)
        let handles = try (0..<5).map { _ in try #require(FileHandle(forReadingAtPath: "/dev/null")) }
        let after = try Exposition(registry)
        // Other tests open and close files meanwhile, so only the order of magnitude is certain.
        #expect(try #require(Double(after["process_open_fds"] ?? "")) >= 8)
        withExtendedLifetime(handles) {}
        let resident = try #require(Double(before["process_resident_memory_bytes"] ?? ""))
        #expect((1e6...1e10).contains(resident))
        #expect(try #require(Double(before["process_virtual_memory_bytes"] ?? "")) > resident)
        let most = try #require(Double(before["process_max_fds"] ?? ""))
        #expect(most >= 64 && most == most.rounded())
        let cpu = try #require(Double(before["process_cpu_seconds_total"] ?? ""))
        #expect(cpu > 0 && cpu < 3600)
        let start = try #require(Double(before["process_start_time_seconds"] ?? ""))
        let age = Date().timeIntervalSince1970 - start
        #expect(age > -2 && age < 3600)
    }

    @Test("A command's name with spaces and parentheses does not shift the fields of its status")
    func status() throws {
        let line =
            "4242 (a) b (c) S 1 4242 4242 0 -1 4194560 100 0 0 0 250 150 0 0 20 0 3 0 123456 9000000 77 "
            + "18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0\n"
        let status = try #require(ProcessStatus(stat: line, ticksPerSecond: 100, pageBytes: 4096))
        #expect(status.cpuSeconds == 4)
        #expect(status.startTicks == 123_456)
        #expect(status.virtualBytes == 9_000_000)
        #expect(status.residentBytes == 77 * 4096)
        #expect(ProcessStatus(stat: "4242 (short) S 1", ticksPerSecond: 100, pageBytes: 4096) == nil)
        #expect(ProcessStatus(stat: "", ticksPerSecond: 100, pageBytes: 4096) == nil)
    }

    @Test("promtool has no complaint", .timeLimit(.minutes(1)))
    func promtool() throws {
        for (service, registry) in registries() {
            let worker = WorkerMetrics(queues: ["\(service)_queue"], factory: registry)
            worker.effect(after: .seconds(1))
            ProcessMetrics.register(in: registry)
            let result = try Promtool.check(registry.exposition())
            #expect(result.status == 0, "\(service): \(result.output)")
            #expect(result.output.isEmpty, "\(service): \(result.output)")
        }
    }

    @Test("promtool is asked for real: it does find a fault", .timeLimit(.minutes(1)))
    func promtoolFindsFaults() throws {
        let result = try Promtool.check(Array("# TYPE broken counter\nbroken{ 1\n".utf8))
        #expect(result.status != 0)
    }

    @Test("The catalogue declares each name once, and its labels are those shown")
    func catalogue() throws {
        #expect(Set(MetricCatalogue.all.map(\.name)).count == MetricCatalogue.all.count)
        let everything = PrometheusRegistry()
        _ = GeneratorMetrics(factory: everything)
        PaymentMetrics(factory: everything).processed(Self.payment(1, "USD"))
        _ = FulfillmentMetrics(factory: everything)
        _ = NotificationMetrics(factory: everything)
        WorkerMetrics(queues: ["q"], factory: everything).effect(after: .seconds(1))
        ProcessMetrics.register(in: everything)
        let shown = try Exposition(everything)
        #expect(Set(shown.types.keys) == Set(MetricCatalogue.all.map(\.name)))
        for metric in MetricCatalogue.all {
            #expect(shown.types[metric.name] == metric.kind.word)
            let series = shown.order.filter { $0.hasPrefix(metric.name + "{") || $0 == metric.name }
            for one in series {
                let names = one.matches(of: /([a-z_]+)="/).map { String($0.output.1) }
                #expect(names == metric.labels, "\(one)")
            }
        }
    }

    @Test("A build without a revision says so")
    func build() {
        #expect(BuildInfo(revision: nil).revision == "unknown")
        #expect(BuildInfo(revision: "").revision == "unknown")
        #expect(BuildInfo(revision: "abc").revision == "abc")
        #expect(BuildInfo.current.version == BuildInfo.version)
    }
}

/// Prometheus's own checker. A machine without it fails the tests that need it.
private enum Promtool {
    static func check(_ exposition: [UInt8]) throws -> (status: Int32, output: String) {
        let paths = ["/usr/bin/promtool", "/usr/local/bin/promtool"]
        let path = try #require(
            paths.first { FileManager.default.isExecutableFile(atPath: $0) },
            "promtool is missing: install Debian's package prometheus")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = ["check", "metrics"]
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        try process.run()
        // Less than a pipe holds, so this does not wait for the reader.
        try #require(exposition.count < 60_000)
        try input.fileHandleForWriting.write(contentsOf: Data(exposition))
        try input.fileHandleForWriting.close()
        let said = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: said, as: UTF8.self))
    }
}
