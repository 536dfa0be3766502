import ActorBus
import Logging

/// The names that others rely on, written out here again: a test that took them from the product could not see them change.
enum Contract {
    static let exchanges = ["orders", "payments", "shipments"]

    /// Each main queue and the exchange that it is bound to.
    static let queues: KeyValuePairs = [
        "payment_processor_queue": "orders", "notifications_orders_queue": "orders",
        "fulfillment_processor_queue": "payments", "notifications_payments_queue": "payments",
        "notifications_shipments_queue": "shipments",
    ]

    static let mainQueues = queues.map(\.key)
    static let deadLetterQueues = mainQueues.map { "\($0).dlq" }

    /// What the original declares: durable, without arguments.
    static var topology: Topology {
        Topology(
            exchanges: exchanges.map { Exchange($0, .fanout) },
            queues: queues.map { Queue($0.key).bound(to: $0.value) })
    }
}

extension Logger {
    /// For the tests' own connections, whose losses are part of the test.
    static var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}
