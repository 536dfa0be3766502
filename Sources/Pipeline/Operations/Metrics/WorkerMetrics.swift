import ActorBus
import Metrics

/// What every service shows of its work on AMQP: connections, publishing, and the queues it consumes.
///
/// Made once a service (not once a replica). Connections are observed rather than told about: their state is asked for
/// when the metrics are read.
package final class WorkerMetrics: Sendable {
    /// The broker's answer to a published message.
    package enum PublishResult: String, Sendable, CaseIterable {
        case confirmed, refused, returned
        /// No answer came: the connection or the deadline ended first.
        case unknown
    }

    /// What became of a consumed message.
    package enum Outcome: String, Sendable, CaseIterable {
        case acknowledged, retried, requeued
        case deadLettered = "dead_lettered"
    }

    /// The metrics of one queue. Copies, and those asked for again, count together.
    package struct Queue: Sendable {
        private let settled: [Outcome: Counter]
        private let redeliveries: Counter
        private let inFlight: Meter

        fileprivate init(_ name: String, _ factory: any MetricsFactory) {
            settled = Dictionary(
                uniqueKeysWithValues: Outcome.allCases.map { outcome in
                    let labels = [("queue", name), ("outcome", outcome.rawValue)]
                    return (outcome, Counter(MetricCatalogue.messagesSettled, labels, factory))
                })
            redeliveries = Counter(MetricCatalogue.messagesRedelivered, [("queue", name)], factory)
            inFlight = Meter(MetricCatalogue.messagesInFlight, [("queue", name)], factory)
        }

        /// A message was taken into work. Each call is followed by exactly one `ended()`.
        package func began(redelivered: Bool) {
            inFlight.increment(by: 1)
            if redelivered { redeliveries.increment() }
        }

        /// The work on a message is over, however it ended.
        package func ended() {
            inFlight.decrement(by: 1)
        }

        /// A message was settled with the broker.
        package func settled(_ outcome: Outcome) {
            settled[outcome]?.increment()
        }
    }

    private typealias Connections = [@Sendable () -> Bool]

    /// From an order to an effect. Orders may wait for days while a service is away, but not for ten years.
    private static let plausible = Duration.seconds(-60)...Duration.seconds(3_652 * 86_400)

    private let factory: any CollectingMetricsFactory
    private let confirms: [PublishResult: Counter]
    private let endToEnd: Metrics.Timer
    private let lately: Lock<RecentDurations>
    private let now: @Sendable () -> Duration
    private let connections = Lock<Connections>([])

    /// - Parameters:
    ///   - queues: the queues that this service consumes; they are shown with 0 from the start.
    ///   - now: the time since any fixed moment; by default of the system's monotonic clock.
    package init(
        queues: [String], factory: any CollectingMetricsFactory, build: BuildInfo = .current,
        now: @escaping @Sendable () -> Duration = MonotonicTime.sinceFirstUse
    ) {
        self.factory = factory
        self.now = now
        let lately = Lock(RecentDurations(window: .seconds(60), capacity: 1000))
        self.lately = lately
        for (metric, share) in [(MetricCatalogue.endToEndMedian, 0.5), (MetricCatalogue.endToEndPercentile95, 0.95)] {
            factory.collect(metric) {
                // Sorted outside of the lock, which every effect takes.
                lately.withLock { $0 }.quantile(share, at: now())?.inSeconds
            }
        }
        confirms = Dictionary(
            uniqueKeysWithValues: PublishResult.allCases.map { result in
                (result, Counter(MetricCatalogue.publisherConfirms, [("result", result.rawValue)], factory))
            })
        endToEnd = Metrics.Timer(MetricCatalogue.endToEnd, [], factory)
        for queue in queues { _ = Queue(queue, factory) }

        let connections = self.connections
        factory.collect(MetricCatalogue.connectionUp) {
            let states = connections.withLock { $0 }
            return !states.isEmpty && states.allSatisfy { $0() } ? 1 : 0
        }
        factory.collect(MetricCatalogue.reconnects) { 0 }
        factory.collect(
            MetricCatalogue.buildInfo, labels: [("version", build.version), ("revision", build.revision)]
        ) { 1 }
    }

    /// Adds a connection of this service.
    ///
    /// `pipeline_amqp_connection_up` is 1 only while every one of them is up; the reconnects of all are added up.
    /// - Parameters:
    ///   - isUp: whether it is open now; called on any thread, must not block.
    ///   - reconnects: how often it was opened again since it was made; likewise.
    package func observe(
        isUp: @escaping @Sendable () -> Bool, reconnects: @escaping @Sendable () -> UInt64
    ) {
        connections.withLock { $0.append(isUp) }
        factory.collect(MetricCatalogue.reconnects) { Double(reconnects()) }
    }

    /// The metrics of a queue.
    package func queue(_ name: String) -> Queue {
        Queue(name, factory)
    }

    /// A publish came to its end.
    package func published(_ result: PublishResult) {
        confirms[result]?.increment()
    }

    /// This service's effect for an order took place so long after the order.
    ///
    /// Clocks of two machines may differ; what comes out a little negative counts as zero. A time that was never a
    /// latency, more than a minute from the future or of more than ten years, is left out: the order's producer made its
    /// timestamp up or its clock is wrong, and one such would drown the sum.
    package func effect(after duration: Duration) {
        guard Self.plausible.contains(duration) else { return }
        endToEnd.observe(duration)
        let time = now()
        lately.withLock { $0.record(max(.zero, duration), at: time) }
    }
}
