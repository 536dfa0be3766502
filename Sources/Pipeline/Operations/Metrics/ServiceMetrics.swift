import ActorBus
package import Metrics

// What each service counts of its own. Every label combination that can occur exists with 0 as soon as the struct does,
// so that a rate over a first event is right. The structs are cheap to copy; two made with one factory count together,
// as the replicas of a service do.

/// The generator's metrics.
package struct GeneratorMetrics: Sendable {
    private let generated: Counter
    private let lastMinute: Lock<SlidingWindow>
    private let now: @Sendable () -> Duration

    /// - Parameter now: the time since any fixed moment; by default of the system's monotonic clock.
    package init(
        factory: any CollectingMetricsFactory, now: @escaping @Sendable () -> Duration = MonotonicTime.sinceFirstUse
    ) {
        let lastMinute = Lock(SlidingWindow(seconds: 60))
        generated = Counter(MetricCatalogue.ordersGenerated, [], factory)
        factory.collect(MetricCatalogue.ordersPerSecond) {
            let time = now()
            return lastMinute.withLock { $0.perSecond(at: time) }
        }
        self.lastMinute = lastMinute
        self.now = now
    }

    /// Orders that the broker has just confirmed.
    package func confirmed(_ count: Int64 = 1) {
        generated.increment(by: count)
        let time = now()
        lastMinute.withLock { $0.record(count, at: time) }
    }
}

/// The payment service's metrics.
package struct PaymentMetrics: Sendable {
    private struct Outcome: Sendable {
        let payments: Counter
        let amount: FloatingPointCounter
    }

    /// Of how many other currencies the amounts are told apart: currencies come from strangers, and each is a series.
    private static let mostCurrencies = 10

    private typealias Amounts = [Payment.Status: FloatingPointCounter]

    private let outcomes: [Payment.Status: Outcome]
    /// The amounts in other currencies than the euro, by what their series say.
    private let others = Lock<[String: Amounts]>([:])
    private let factory: any MetricsFactory
    private let duration: Metrics.Timer

    package init(factory: any MetricsFactory) {
        self.factory = factory
        outcomes = Dictionary(
            uniqueKeysWithValues: Payment.Status.allCases.map { status in
                let labels = [("status", status.rawValue)]
                let outcome = Outcome(
                    payments: Counter(MetricCatalogue.paymentsProcessed, labels, factory),
                    amount: FloatingPointCounter(MetricCatalogue.paymentAmount, labels, factory))
                return (status, outcome)
            })
        duration = Metrics.Timer(MetricCatalogue.paymentDuration, [], factory)
    }

    /// A payment that took effect.
    ///
    /// The metrics API wants the amount as a `Double`; up to 2^53 cents that gives the very same cents back, and the
    /// registry sums whole cents.
    package func processed(_ payment: Payment) {
        outcomes[payment.status]?.payments.increment()
        let amount =
            payment.currency == "EUR"
            ? outcomes[payment.status]?.amount : amounts(in: payment.currency)[payment.status]
        amount?.increment(by: Double(payment.amount.cents) / 100)
    }

    private func amounts(in currency: String) -> Amounts {
        others.withLock { others in
            let name = others[currency] != nil || others.count < Self.mostCurrencies ? currency : "other"
            if let known = others[name] { return known }
            let made = Dictionary(
                uniqueKeysWithValues: Payment.Status.allCases.map { status in
                    let labels = [("status", status.rawValue), ("currency", name)]
                    return (status, FloatingPointCounter(MetricCatalogue.otherPaymentAmount, labels, factory))
                })
            others[name] = made
            return made
        }
    }

    /// How long a payment took, in real time.
    package func took(_ duration: Duration) {
        self.duration.observe(duration)
    }
}

/// The fulfilment service's metrics.
package struct FulfillmentMetrics: Sendable {
    private let shipments: Counter
    private let duration: Metrics.Timer

    package init(factory: any MetricsFactory) {
        shipments = Counter(MetricCatalogue.shipmentsCreated, [], factory)
        duration = Metrics.Timer(MetricCatalogue.fulfillmentDuration, [], factory)
    }

    /// A shipment that took effect.
    package func created() {
        shipments.increment()
    }

    /// How long a fulfilment took, in real time.
    package func took(_ duration: Duration) {
        self.duration.observe(duration)
    }
}

/// The notification service's metrics.
package struct NotificationMetrics: Sendable {
    private let sent: [Notification.Kind: Counter]

    package init(factory: any MetricsFactory) {
        sent = Dictionary(
            uniqueKeysWithValues: Notification.Kind.allCases.map { kind in
                let labels = [("type", kind.rawValue), ("topic", kind.topic)]
                return (kind, Counter(MetricCatalogue.notificationsSent, labels, factory))
            })
    }

    /// A notification that was sent.
    package func sent(_ kind: Notification.Kind) {
        sent[kind]?.increment()
    }
}
