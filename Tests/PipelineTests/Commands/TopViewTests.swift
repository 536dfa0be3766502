import FoundationEssentials
import Pipeline
import Testing

@testable import pipeline_run

@Suite struct TopViewTests {
    private static let time = Timestamp(clampingSeconds: 1_767_781_800)

    private static func snapshot(
        _ broker: FlowSnapshot.BrokerState = .up, ready: UInt32? = 10_000, notices: Int = 0
    ) -> FlowSnapshot {
        FlowSnapshot(
            time: time, brokerName: "127.0.0.1:5672", broker: broker,
            queues: PipelineQueue.allCases.map {
                FlowSnapshot.Queue(
                    queue: $0, ready: ready, change: ready.map { _ in -12.34 }, consumers: ready.map { _ in 2 },
                    deadLetters: ready.map { _ in 3 }, history: Array(0..<60))
            },
            services: ServiceKind.allCases.map {
                FlowSnapshot.Service(
                    name: $0.rawValue, kind: $0,
                    state: .up(
                        FlowSnapshot.Figures(
                            isConnected: true, total: 1_234_567, rate: 3.21, median: 0.012, percentile95: 2.5,
                            inFlight: 1, redelivered: 2, reconnects: 4, deadLettered: 5, memory: 21_000_000)))
            }, notices: (0..<notices).map { FlowSnapshot.Notice(time: time, words: "notice \($0)") })
    }

    private static func nothing(_ broker: FlowSnapshot.BrokerState) -> FlowSnapshot {
        var snapshot = snapshot(broker, ready: nil)
        snapshot.services = ServiceKind.allCases.map {
            FlowSnapshot.Service(
                name: $0.rawValue, kind: nil, state: .away("127.0.0.1:8000 cannot be asked: Connection refused"))
        }
        return snapshot
    }

    private static func text(_ snapshot: FlowSnapshot, _ width: Int, _ height: Int) -> [String] {
        TopView.lines(snapshot, width: width, height: height).map(\.text)
    }

    @Test func `is whole at 80 by 24`() {
        let lines = Self.text(Self.snapshot(), 80, 24)
        let all = lines.joined(separator: "\n")
        for queue in PipelineQueue.allCases { #expect(all.contains(queue.rawValue)) }
        for word in [
            "READY", "CHANGE/S", "CONSUMERS", "DEAD", "RATE/S", "95 %", "WORK", "REDEL", "RECON", "10,000", "-12.3",
            "generator", "notification", "3.2", "2.5 s", "broker up at 127.0.0.1:5672", "10:30:00Z", "q quits",
            "orders 3.2/s → payments 3.2/s → shipments 3.2/s, notices 3.2/s",
            "MEDIAN, 95 %: from the order to what the service did, last minute",
        ] { #expect(all.contains(word), "\(word) in\n\(all)") }
        #expect(!all.contains("…"), "\(all)")
    }

    @Test(arguments: [(80, 24), (60, 20), (140, 50), (40, 10), (20, 5), (1, 1), (200, 3), (0, 0)])
    func `never is larger than the terminal`(width: Int, height: Int) {
        for snapshot in [
            Self.snapshot(notices: 100), Self.nothing(.connecting), Self.nothing(.away("no route\u{1b}[2J\n to it")),
            Self.snapshot(ready: .max),
        ] {
            let lines = TopView.lines(snapshot, width: width, height: height)
            #expect(lines.count <= height)
            for line in lines {
                #expect(line.text.count <= width, "\(line.text)")
                #expect(line.width == line.text.count)
                #expect(!line.text.unicodeScalars.contains { $0.value < 32 })
            }
        }
    }

    @Test func `what matters most stays where there is little room`() {
        let lines = Self.text(Self.snapshot(), 60, 20).joined(separator: "\n")
        for word in ["READY", "DEAD", "RATE/S", "95 %", "WORK"] { #expect(lines.contains(word), "\(lines)") }
        #expect(!lines.contains("MEMORY") && !lines.contains("LAST MINUTE"))
        let wide = Self.text(Self.snapshot(notices: 40), 140, 50)
        #expect(wide.joined().contains("▁") && wide.joined().contains("MEMORY"))
        #expect(wide.count == 50 && wide.last?.contains("notice") == true)
    }

    @Test func `what is away is shown as away`() {
        let lines = Self.text(Self.nothing(.away("Connection refused")), 80, 24).joined(separator: "\n")
        #expect(lines.contains("broker away: Connection refused"))
        #expect(lines.components(separatedBy: "away").count == 6, "\(lines)")
        #expect(lines.contains("orders - → payments -"))
        let missing = Self.text(Self.nothing(.up), 80, 24).joined(separator: "\n")
        #expect(missing.components(separatedBy: "is missing").count == 6)
    }

    @Test(arguments: [Double.infinity, -.infinity, .nan, 1e300, -1e300, -0.5, .greatestFiniteMagnitude])
    func `no page can bring it down`(number: Double) {
        var snapshot = Self.snapshot()
        let figures = FlowSnapshot.Figures(
            isConnected: true, total: number, rate: number, median: number, percentile95: number, inFlight: number,
            redelivered: number, reconnects: number, deadLettered: number, memory: number)
        snapshot.services = [FlowSnapshot.Service(name: "odd", kind: .payment, state: .up(figures))]
        #expect(Self.text(snapshot, 200, 50).allSatisfy { $0.count <= 200 })
        #expect(TopView.plainLine(snapshot).contains("reconnects="))
    }

    @Test func `colours are only in the rendering that wants them`() {
        let lines = TopView.lines(Self.snapshot(), width: 80, height: 24)
        #expect(lines.allSatisfy { !$0.rendered(colors: false).contains("\u{1b}") })
        #expect(lines[0].rendered(colors: true).contains("\u{1b}[1morder pipeline\u{1b}[0m"))
        #expect(StyledLine("abcdef", .alarm).cut(to: 3).rendered(colors: false) == "ab…")
        #expect(StyledLine("abc").cut(to: 3).text == "abc")
    }

    @Test func `without a terminal it is a line`() {
        let line = TopView.plainLine(Self.snapshot())
        #expect(line.hasPrefix("2026-01-07T10:30:00Z broker=up payment_processor_queue=10000 "))
        #expect(line.contains(" dead_letters=15 ") && line.contains(" payment_per_second=3.2 "))
        #expect(line.contains(" redelivered=8 ") && !line.contains("away="))
        let away = TopView.plainLine(Self.nothing(.away("x y")))
        #expect(away.contains("broker=away payment_processor_queue=- ") && away.contains("generator_per_second=-"))
        #expect(away.hasSuffix("away=generator,payment,fulfillment,notification"))
    }

    @Test(
        arguments: [
            (0, "0"), (999, "999"), (1000, "1,000"), (10_007, "10,007"), (999_949, "999,949"), (999_950, "1.0M"),
            (12_345_678, "12.3M"), (4_294_967_295, "4.3G"), (.infinity, "-"), (.nan, "-"),
        ] as [(Double, String)])
    func `whole numbers`(number: Double, text: String) {
        #expect(TopView.whole(number) == text)
    }

    @Test(
        arguments: [
            (0, "0.0 ms"), (0.0123, "12.3 ms"), (0.25, "250 ms"), (0.9996, "1.0 s"), (59.96, "60.0 s"), (119, "119 s"),
            (240, "4 min"), (300, "5 min"), (7_100, "118 min"), (7_200, "2.0 h"), (90_000, "25.0 h"),
            (172_800, "2.0 d"),
            (1e9, "11,574 d"), (.infinity, "-"),
        ] as [(Double, String)])
    func `times`(seconds: Double, text: String) {
        #expect(TopView.time(seconds) == text)
    }
}

@Suite struct ServiceHistoryTests {
    private func page(_ total: Int, _ more: String = "") -> MetricsPage {
        MetricsPage(
            """
            # HELP x y
            payments_processed_total{status="success"} \(total)
            payments_processed_total{status="failed"} 0
            pipeline_amqp_connection_up 1
            pipeline_messages_in_flight{queue="payment_processor_queue"} 2
            pipeline_messages_settled_total{queue="a",outcome="dead_lettered"} 3
            pipeline_messages_settled_total{queue="a",outcome="acknowledged"} 9
            \(more)
            """)
    }

    @Test func `a page is read with all its labels`() {
        let page = MetricsPage(
            "a{b=\"x,\\\"}\\\\ y\",c=\"\"} 1.5\na 2 1700000000\nbroken{\nworse{x=\"} 1\nd NaN\n\n e 1\n")
        #expect(page.samples["a"]?.map(\.value) == [1.5, 2])
        #expect(page.samples["a"]?.first?.labels == ["b": "x,\"}\\ y", "c": ""])
        #expect(page.sum("a") == 3.5 && page.sum("a", ["c": ""]) == 1.5 && page.sum("z") == nil)
        #expect(!page.has("broken") && !page.has("worse") && page.has("d"))
    }

    @Test func `tells rates and latencies of the last seconds`() {
        var history = ServiceHistory()
        let first = history.add(page(100), at: .seconds(1))
        #expect(first.rate == nil && first.median == nil && first.total == 100 && first.isConnected)
        #expect(first.inFlight == 2 && first.deadLettered == 3 && history.kind == .payment)
        let second = history.add(page(120), at: .seconds(6))
        #expect(second.rate == 4 && second.median == nil && second.percentile95 == nil)
        // What is long ago does not count.
        for second in 7...40 { _ = history.add(page(120), at: .seconds(second)) }
        #expect(history.add(page(120), at: .seconds(41)).rate == 0)
    }

    @Test func `begins anew with a service that has`() {
        var history = ServiceHistory()
        _ = history.add(page(100), at: .seconds(1))
        #expect(history.add(page(2), at: .seconds(2)).rate == nil)
        #expect(history.add(page(4), at: .seconds(3)).rate == 2)
        history.lose()
        #expect(history.add(page(9), at: .seconds(4)).rate == nil)
    }

    @Test func `latencies are those that the service tells, and not made out of buckets`() throws {
        let registry = PrometheusRegistry()
        let worker = WorkerMetrics(queues: [], factory: registry)
        for milliseconds in [10_000, 10_200, 28_000] { worker.effect(after: .milliseconds(milliseconds)) }
        var history = ServiceHistory()
        let text = String(decoding: registry.exposition(), as: UTF8.self)
        let figures = history.add(page(1, text), at: .seconds(1))
        #expect(figures.median == 10.2 && figures.percentile95 == 28)
        let buckets = text.split(separator: "\n").filter { $0.contains("_bucket") }.joined(separator: "\n")
        #expect(history.add(page(1, buckets), at: .seconds(2)).median == nil)
    }

    @Test func `depths change by what they changed lately`() {
        var history = DepthHistory()
        #expect(history.change == nil)
        history.add(10, at: .seconds(0))
        #expect(history.change == nil)
        history.add(0, at: .seconds(2))
        #expect(history.change == -5)
        for second in 3...100 { history.add(7, at: .seconds(second)) }
        #expect(history.change == 0 && history.values.count == 60)
    }
}
