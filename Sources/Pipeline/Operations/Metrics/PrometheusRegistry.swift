import ActorBus
package import Metrics

/// Collects the metrics of one service and shows them in the Prometheus text format.
///
/// A swift-metrics backend like any other: `Counter(label:dimensions:factory:)` and its kin are created with it, and
/// any other `MetricsFactory` could stand in its place. It is handed around rather than bootstrapped globally, since
/// several services can share a process and each port shows its own service only.
///
/// Names, help texts, buckets and decimals come from the descriptions; a label that has none still appears, its name
/// made valid and with the type of whatever was created. The same label and dimensions always give the same metric, so
/// replicas that create theirs add up. An increment takes no lock and allocates nothing; a histogram takes a lock of
/// its own.
package final class PrometheusRegistry: CollectingMetricsFactory {
    /// The media type of what `exposition()` returns.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private struct Family: Sendable {
        let name: String
        let description: MetricDescription
        /// By the labels as they are shown.
        var series: [String: any MetricSeries] = [:]
    }

    /// Buckets for a histogram that no description covers: those of every Prometheus client.
    private static let defaultBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

    private let descriptions: [String: MetricDescription]
    private let families = Lock<[String: Family]>([:])

    package init(descriptions: [MetricDescription] = MetricCatalogue.all) {
        self.descriptions = Dictionary(descriptions.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// All metrics as they are now: families by name, series by their labels, so that two scrapes can be compared.
    package func exposition() -> [UInt8] {
        // Written outside the lock, since collected metrics run foreign code.
        let families = self.families.withLock { Array($0.values) }.sorted { $0.name < $1.name }
        var text = ExpositionText()
        for family in families {
            let start = text.bytes.count
            text.appendHeader(name: family.name, description: family.description)
            let samples = text.bytes.count
            for (_, series) in family.series.sorted(by: { $0.key < $1.key }) {
                series.write(to: &text)
            }
            // A header without a sample says nothing.
            if text.bytes.count == samples { text.truncate(to: start) }
        }
        return text.bytes
    }

    package func collect(
        _ metric: MetricDescription, labels: [(String, String)], read: @escaping @Sendable () -> Double?
    ) {
        series(metric.name, labels, metric.kind) { name, description in
            CollectedSeries(name: name, labels: ExpositionText.labels(labels))
        }.add(read)
    }

    // MARK: MetricsFactory

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter(decimals: 0)) { name, _ in
            CounterSeries(name: name, labels: ExpositionText.labels(dimensions))
        }
    }

    package func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        let labels = ExpositionText.labels(dimensions)
        if case .counter(let decimals)? = descriptions[label]?.kind, decimals > 0 {
            return series(label, dimensions, .counter(decimals: decimals)) { name, _ in
                FixedPointCounterSeries(name: name, labels: labels, decimals: decimals)
            }
        }
        return series(label, dimensions, .counter(decimals: 0)) { name, _ in
            FloatingPointCounterSeries(name: name, labels: labels)
        }
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, .gauge) { name, _ in
            GaugeSeries(name: name, labels: ExpositionText.labels(dimensions))
        }
    }

    package func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        if aggregate { return histogram(label, dimensions) }
        return series(label, dimensions, .gauge) { name, _ in
            GaugeSeries(name: name, labels: ExpositionText.labels(dimensions))
        }
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, dimensions)
    }

    package func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { remove(handler) }
    package func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
    package func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
    package func destroyTimer(_ handler: any TimerHandler) { remove(handler) }

    // MARK: Families

    private func histogram(_ label: String, _ dimensions: [(String, String)]) -> HistogramSeries {
        series(label, dimensions, .histogram(buckets: Self.defaultBuckets)) { name, description in
            var bounds = Self.defaultBuckets
            if case .histogram(let buckets) = description.kind { bounds = buckets }
            return HistogramSeries(name: name, labels: dimensions, bounds: bounds)
        }
    }

    /// The series of this label and these dimensions, made when it does not exist.
    ///
    /// A name that is taken by something of another type (two libraries that use one label differently) gets the type
    /// as a suffix: the format allows one type a name, and neither library is to lose its numbers.
    private func series<Series: MetricSeries>(
        _ label: String,
        _ dimensions: [(String, String)],
        _ kind: MetricDescription.Kind,
        make: @Sendable (_ name: String, _ description: MetricDescription) -> Series
    ) -> Series {
        let described = descriptions[label].flatMap { $0.kind.word == kind.word ? $0 : nil }
        var name = ExpositionText.validName(label)
        if described == nil, case .counter = kind, !name.hasSuffix("_total") { name += "_total" }
        let key = ExpositionText.labels(dimensions)
        let kindWord = kind.word
        return families.withLock { [name] families in
            var name = name
            while true {
                let description =
                    described
                    ?? MetricDescription(name: name, help: "\(label), not described.", kind: kind, labels: [])
                var family = families[name] ?? Family(name: name, description: description)
                if family.description.kind.word == kindWord {
                    guard let existing = family.series[key] else {
                        let made = make(name, family.description)
                        family.series[key] = made
                        families[name] = family
                        return made
                    }
                    if let same = existing as? Series { return same }
                }
                name += "_\(kindWord)"
            }
        }
    }

    private func remove(_ handler: AnyObject) {
        families.withLock { families in
            for (name, var family) in families {
                guard let key = family.series.first(where: { $0.value === handler })?.key else { continue }
                family.series[key] = nil
                families[name] = family.series.isEmpty ? nil : family
            }
        }
    }
}
