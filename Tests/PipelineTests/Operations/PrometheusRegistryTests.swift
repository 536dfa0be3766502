import ActorBus
import Metrics
@testable import Pipeline
import Testing

@Suite("The Prometheus registry")
struct PrometheusRegistryTests {
    private static let money = MetricDescription.counter("money_total", "Money.", labels: ["k"], decimals: 2)
    private static let waits = MetricDescription.histogram("wait_seconds", "Waits.", buckets: [0.5, 1, 2.5])

    @Test("A counter has a help text, a type and its value")
    func counter() {
        let registry = PrometheusRegistry(descriptions: [.counter("things_total", "Things.")])
        let counter = Counter(label: "things_total", factory: registry)
        counter.increment()
        counter.increment(by: 41)
        counter.increment(by: -5)
        #expect(
            String(decoding: registry.exposition(), as: UTF8.self) == """
                # HELP things_total Things.
                # TYPE things_total counter
                things_total 42

                """)
        counter.reset()
        #expect(String(decoding: registry.exposition(), as: UTF8.self).hasSuffix("\nthings_total 0\n"))
    }

    @Test("A histogram is cumulative, its bounds inclusive, its count that of +Inf")
    func histogram() {
        let registry = PrometheusRegistry(descriptions: [Self.waits])
        let timer = Metrics.Timer(label: "wait_seconds", dimensions: [("q", "a")], factory: registry)
        for milliseconds in [500, 501, 1000, 2000, 2500, 90_000] { timer.recordMilliseconds(milliseconds) }
        #expect(
            String(decoding: registry.exposition(), as: UTF8.self) == """
                # HELP wait_seconds Waits.
                # TYPE wait_seconds histogram
                wait_seconds_bucket{q="a",le="0.5"} 1
                wait_seconds_bucket{q="a",le="1.0"} 3
                wait_seconds_bucket{q="a",le="2.5"} 5
                wait_seconds_bucket{q="a",le="+Inf"} 6
                wait_seconds_sum{q="a"} 96.501
                wait_seconds_count{q="a"} 6

                """)
    }

    @Test("Money is added in whole cents, however often")
    func fixedPoint() throws {
        let registry = PrometheusRegistry(descriptions: [Self.money])
        let tenths = FloatingPointCounter(label: "money_total", dimensions: [("k", "tenths")], factory: registry)
        for _ in 0..<100_003 { tenths.increment(by: 0.1) }
        let large = FloatingPointCounter(label: "money_total", dimensions: [("k", "large")], factory: registry)
        for _ in 0..<1000 { large.increment(by: 999_999.99) }
        large.increment(by: 0.07)
        let odd = FloatingPointCounter(label: "money_total", dimensions: [("k", "odd")], factory: registry)
        for amount in [Double.nan, -Double.infinity, -3, 0, 0.004] { odd.increment(by: amount) }
        let endless = FloatingPointCounter(label: "money_total", dimensions: [("k", "endless")], factory: registry)
        for _ in 0..<3 { endless.increment(by: Double.infinity) }
        let shown = try Exposition(registry)
        #expect(shown[#"money_total{k="tenths"}"#] == "10000.30")
        #expect(shown[#"money_total{k="large"}"#] == "999999990.07")
        #expect(shown[#"money_total{k="odd"}"#] == "0")
        #expect(shown[#"money_total{k="endless"}"#] == "92233720368547758.07")
    }

    @Test("Label values and help texts are escaped")
    func escaping() {
        let registry = PrometheusRegistry(descriptions: [.counter("odd_total", "One\\two\nthree \"four\".")])
        _ = Counter(label: "odd_total", dimensions: [("value", "a\\b\"c\nd")], factory: registry)
        #expect(
            String(decoding: registry.exposition(), as: UTF8.self)
                == "# HELP odd_total One\\\\two\\nthree \"four\".\n# TYPE odd_total counter\n"
                + "odd_total{value=\"a\\\\b\\\"c\\nd\"} 0\n")
    }

    @Test("Two scrapes list the same series in the same order, sorted")
    func order() throws {
        let registry = PrometheusRegistry(descriptions: [])
        for name in ["zebra", "ant", "mole"] {
            for value in ["b", "c", "a"] {
                _ = Counter(label: name, dimensions: [("k", value)], factory: registry)
            }
        }
        let shown = try Exposition(registry)
        let expected = ["ant", "mole", "zebra"].flatMap { name in
            ["a", "b", "c"].map { "\(name)_total{k=\"\($0)\"}" }
        }
        #expect(shown.order == expected)
        #expect(registry.exposition() == registry.exposition())
    }

    @Test("The same label and dimensions are the same metric")
    func shared() throws {
        let registry = PrometheusRegistry(descriptions: [])
        Counter(label: "a_total", dimensions: [("k", "v")], factory: registry).increment()
        Counter(label: "a_total", dimensions: [("k", "v")], factory: registry).increment()
        #expect(try Exposition(registry)[#"a_total{k="v"}"#] == "2")
    }

    @Test("A label used with two types shows both, and no name twice")
    func clash() throws {
        let registry = PrometheusRegistry(descriptions: [Self.waits])
        Counter(label: "x.y-z", factory: registry).increment()
        Meter(label: "x.y-z", factory: registry).set(2)
        Meter(label: "x_y_z_total", factory: registry).set(3)
        Gauge(label: "wait_seconds", factory: registry).record(4)
        Metrics.Timer(label: "wait_seconds", factory: registry).recordSeconds(1)
        let shown = try Exposition(registry)
        #expect(shown["x_y_z_total"] == "1")
        #expect(shown["x_y_z"] == "2")
        #expect(shown["x_y_z_total_gauge"] == "3")
        #expect(shown["wait_seconds_count"] == "1" || shown["wait_seconds_histogram_count"] == "1")
        #expect(shown.types["x_y_z_total"] == "counter")
        #expect(shown.types["x_y_z_total_gauge"] == "gauge")
        #expect(Set(shown.types.keys) == Set(shown.help.keys))
    }

    @Test("Gauges go up and down; recorders that aggregate are histograms")
    func gauges() throws {
        let registry = PrometheusRegistry(descriptions: [])
        let meter = Meter(label: "m", factory: registry)
        meter.set(5.5)
        meter.increment(by: 2)
        meter.decrement(by: 3)
        Gauge(label: "g", factory: registry).record(-7)
        Gauge(label: "endless", factory: registry).record(Double.infinity)
        Recorder(label: "r", factory: registry).record(3)
        FloatingPointCounter(label: "f", factory: registry).increment(by: 0.25)
        let shown = try Exposition(registry)
        #expect(shown["m"] == "4.5")
        #expect(shown["g"] == "-7")
        #expect(shown["endless"] == "+Inf")
        #expect(shown[#"r_bucket{le="2.5"}"#] == "0")
        #expect(shown[#"r_bucket{le="5.0"}"#] == "1")
        #expect(shown["r_sum"] == "3")
        #expect(shown["f_total"] == "0.25")
    }

    @Test("Collected values are read at the scrape, added up, and left out when there are none")
    func collected() throws {
        let registry = PrometheusRegistry(descriptions: [])
        let value = Lock<Double?>(nil)
        let gauge = MetricDescription.gauge("now", "Now.")
        registry.collect(gauge) { value.withLock { $0 } }
        #expect(registry.exposition().isEmpty)
        value.withLock { $0 = 3 }
        registry.collect(gauge) { 4 }
        #expect(try Exposition(registry)["now"] == "7")
        value.withLock { $0 = 1 }
        #expect(try Exposition(registry)["now"] == "5")
    }

    @Test("A destroyed metric is gone")
    func destroyed() throws {
        let registry = PrometheusRegistry(descriptions: [])
        let first = Counter(label: "a", dimensions: [("k", "1")], factory: registry)
        let second = Counter(label: "a", dimensions: [("k", "2")], factory: registry)
        first.destroy()
        #expect(try Exposition(registry).order == [#"a_total{k="2"}"#])
        second.destroy()
        #expect(registry.exposition().isEmpty)
    }

    @Test("Increments from many tasks are all counted, while it is scraped")
    func concurrency() async throws {
        let registry = PrometheusRegistry(descriptions: [Self.money, Self.waits])
        let tasks = 8
        let each = 5000
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<tasks {
                group.addTask {
                    // Each makes its own, as replicas do.
                    let counter = Counter(label: "c_total", factory: registry)
                    let money = FloatingPointCounter(label: "money_total", factory: registry)
                    let timer = Metrics.Timer(label: "wait_seconds", factory: registry)
                    let meter = Meter(label: "m", factory: registry)
                    for _ in 0..<each {
                        counter.increment()
                        money.increment(by: 0.01)
                        timer.recordMilliseconds(750)
                        meter.increment(by: 1)
                    }
                }
            }
            group.addTask {
                for _ in 0..<200 { _ = registry.exposition() }
            }
        }
        let shown = try Exposition(registry)
        #expect(shown["c_total"] == "40000")
        #expect(shown["money_total"] == "400")
        #expect(shown["m"] == "40000")
        #expect(shown[#"wait_seconds_bucket{le="0.5"}"#] == "0")
        #expect(shown[#"wait_seconds_bucket{le="1.0"}"#] == "40000")
        #expect(shown["wait_seconds_sum"] == "30000")
        #expect(shown["wait_seconds_count"] == "40000")
    }

    @Test(
        "Names become valid ones",
        arguments: [("a.b", "a_b"), ("9lives", "_9lives"), ("a:b", "a:b"), ("", "_"), ("grün", "gr_n"), ("_ok", "_ok")])
    func names(label: String, expected: String) {
        #expect(ExpositionText.validName(label) == expected)
    }

    @Test("Numbers", arguments: [(0, "0"), (-0.0, "0"), (1e15, "1000000000000000"), (0.1, "0.1"), (1e300, "1e+300")])
    func numbers(value: Double, expected: String) {
        #expect(ExpositionText.number(value) == expected)
    }

    @Test(
        "Fixed-point numbers",
        arguments: [(0, 2, "0"), (5, 2, "0.05"), (1_234_567, 2, "12345.67"), (130_000, 2, "1300"), (7, 0, "7")])
    func fixedPointNumbers(units: Int64, decimals: Int, expected: String) {
        #expect(ExpositionText.fixedPoint(units, decimals: decimals) == expected)
    }
}
