/// Every metric that the pipeline shows, declared once.
///
/// The services create their metrics from these, the registry takes names, help texts and buckets from these, and
/// `all` is what a table in a document can be checked against.
package enum MetricCatalogue {
    // The generator
    package static let ordersGenerated = MetricDescription.counter(
        "orders_generated_total", "Orders generated and confirmed by the broker.")
    package static let ordersPerSecond = MetricDescription.gauge(
        "orders_per_second", "Orders confirmed in the last 60 seconds, divided by 60.")

    // The payment service
    package static let paymentsProcessed = MetricDescription.counter(
        "payments_processed_total", "Payments processed, by outcome.", labels: ["status"])
    package static let paymentDuration = MetricDescription.histogram(
        "payment_processing_duration_seconds", "Time that a payment took, in real seconds.",
        buckets: [0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 5, 10])
    package static let paymentAmount = MetricDescription.counter(
        "payment_amount_total", "Sum of the payment amounts in euros, by outcome.", labels: ["status"], decimals: 2)

    package static let otherPaymentAmount = MetricDescription.counter(
        "pipeline_payment_amount_other_total",
        "Sums of the payment amounts in other currencies than the euro, by outcome; the eleventh currency and those after "
            + "it are \"other\".",
        labels: ["status", "currency"], decimals: 2)

    // The fulfilment service
    package static let shipmentsCreated = MetricDescription.counter(
        "shipments_created_total", "Shipments created.")
    package static let fulfillmentDuration = MetricDescription.histogram(
        "fulfillment_processing_duration_seconds", "Time that a fulfilment took, in real seconds.",
        buckets: [0.25, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 10])

    // The notification service
    package static let notificationsSent = MetricDescription.counter(
        "notifications_sent_total", "Notifications sent, by kind and by the topic that caused them.",
        labels: ["type", "topic"])

    // Every service, as a worker on AMQP
    package static let connectionUp = MetricDescription.gauge(
        "pipeline_amqp_connection_up", "1 while every AMQP connection of the service is open, else 0.")
    package static let reconnects = MetricDescription.counter(
        "pipeline_amqp_reconnects_total", "AMQP connections opened again after a loss.")
    package static let publisherConfirms = MetricDescription.counter(
        "pipeline_publisher_confirms_total", "Published messages, by the broker's answer.", labels: ["result"])
    package static let messagesSettled = MetricDescription.counter(
        "pipeline_messages_settled_total", "Consumed messages, by what became of them.", labels: ["queue", "outcome"])
    package static let messagesRedelivered = MetricDescription.counter(
        "pipeline_messages_redelivered_total", "Messages that the broker had delivered before.", labels: ["queue"])
    package static let messagesInFlight = MetricDescription.gauge(
        "pipeline_messages_in_flight", "Messages in work and not yet settled.", labels: ["queue"])
    package static let endToEnd = MetricDescription.histogram(
        "pipeline_end_to_end_seconds", "Time from the moment of the order to the effect of this service.",
        buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300])
    package static let endToEndMedian = MetricDescription.gauge(
        "pipeline_end_to_end_median_seconds",
        "Exact median of the time from the moment of the order to the effect of this service: of the effects of the last "
            + "60 seconds, the newest 1000 at most; missing where there are none.")
    package static let endToEndPercentile95 = MetricDescription.gauge(
        "pipeline_end_to_end_p95_seconds",
        "Exact 95th percentile of the time from the moment of the order to the effect of this service: of the effects of "
            + "the last 60 seconds, the newest 1000 at most; missing where there are none.")
    package static let buildInfo = MetricDescription.gauge(
        "pipeline_build_info", "The running build; always 1.", labels: ["version", "revision"])

    // The process, under the names that every Prometheus client uses
    package static let residentMemory = MetricDescription.gauge(
        "process_resident_memory_bytes", "Resident memory size in bytes.")
    package static let virtualMemory = MetricDescription.gauge(
        "process_virtual_memory_bytes", "Virtual memory size in bytes.")
    package static let cpuSeconds = MetricDescription.counter(
        "process_cpu_seconds_total", "User and system CPU time spent, in seconds.")
    package static let openFileDescriptors = MetricDescription.gauge(
        "process_open_fds", "Open file descriptors.")
    package static let maximumFileDescriptors = MetricDescription.gauge(
        "process_max_fds", "The most file descriptors that may be open.")
    package static let startTime = MetricDescription.gauge(
        "process_start_time_seconds", "Start of the process, in seconds since 1970.")

    /// All of them, in the order above.
    package static let all: [MetricDescription] = [
        ordersGenerated, ordersPerSecond,
        paymentsProcessed, paymentDuration, paymentAmount, otherPaymentAmount,
        shipmentsCreated, fulfillmentDuration,
        notificationsSent,
        connectionUp, reconnects, publisherConfirms, messagesSettled, messagesRedelivered, messagesInFlight,
        endToEnd, endToEndMedian, endToEndPercentile95, buildInfo,
        residentMemory, virtualMemory, cpuSeconds, openFileDescriptors, maximumFileDescriptors, startTime,
    ]
}
