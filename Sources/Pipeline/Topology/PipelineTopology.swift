package import ActorBus

/// An exchange of the pipeline; the raw value is its name at the broker.
package enum PipelineExchange: String, Sendable, Hashable, CaseIterable {
    case orders
    case payments
    case shipments
}

/// A main queue of the pipeline; the raw value is its name at the broker.
package enum PipelineQueue: String, Sendable, Hashable, CaseIterable {
    case payment = "payment_processor_queue"
    case fulfillment = "fulfillment_processor_queue"
    case orderNotices = "notifications_orders_queue"
    case paymentNotices = "notifications_payments_queue"
    case shipmentNotices = "notifications_shipments_queue"

    /// The exchange whose every message the queue gets.
    package var source: PipelineExchange {
        switch self {
        case .payment, .orderNotices: .orders
        case .fulfillment, .paymentNotices: .payments
        case .shipmentNotices: .shipments
        }
    }

    /// Where messages of this queue go that nothing can be done with.
    package var deadLetterQueue: String { "\(rawValue).dlq" }
}

/// How the broker keeps the queues.
package enum QueueType: String, Sendable, Hashable, CaseIterable {
    /// Declared without arguments, equal to what the original declares.
    case classic
    /// Replicated over the nodes of a cluster.
    case quorum

    fileprivate var kind: Queue.Kind {
        switch self {
        case .classic: .classic
        case .quorum: .quorum()
        }
    }
}

/// Every exchange, queue and binding of the pipeline.
package enum PipelineTopology {
    /// The whole of it. Each service declares all, so that no event is lost because its consumer has not started yet.
    package static func all(_ type: QueueType) -> Topology {
        Topology(
            exchanges: PipelineExchange.allCases.map { Exchange($0.rawValue, .fanout) },
            queues: PipelineQueue.allCases.flatMap { queue in
                [
                    Queue(queue.rawValue, type.kind).bound(to: queue.source.rawValue),
                    // Reached through the default exchange by its name, so it needs no binding.
                    Queue(queue.deadLetterQueue, type.kind),
                ]
            })
    }
}
