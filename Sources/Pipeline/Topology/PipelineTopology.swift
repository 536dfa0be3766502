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

    /// Where a message of this queue that failed waits until it is tried again.
    package func retryQueue(after delay: RetryDelay) -> String { "\(rawValue).retry.\(delay)" }
}

/// How the broker keeps the queues.
package enum QueueType: String, Sendable, Hashable, CaseIterable {
    /// Declared without arguments, equal to what the original declares.
    case classic
    /// Replicated over the nodes of a cluster.
    case quorum
}

/// Every exchange, queue and binding of the pipeline.
package enum PipelineTopology {
    /// The whole of it. Each service declares all, so that no event is lost because its consumer has not started yet.
    ///
    /// - Parameter delays: of the retry queues beside each main queue.
    package static func all(_ type: QueueType, delays: [RetryDelay] = .standard) -> Topology {
        Topology(
            exchanges: PipelineExchange.allCases.map { Exchange($0.rawValue, .fanout) },
            queues: PipelineQueue.allCases.flatMap { queue in
                [main(queue, type), deadLetters(of: queue, type)] + delays.map { retries(of: queue, after: $0) }
            })
    }

    private static func main(_ queue: PipelineQueue, _ type: QueueType) -> Queue {
        switch type {
        case .classic: Queue(queue.rawValue).bound(to: queue.source.rawValue)
        case .quorum:
            // A quorum queue has a delivery limit, of 20 by default from RabbitMQ 4.0 on. What is beyond it moves to
            // the dead-letter queue, where it would otherwise be destroyed.
            Queue(queue.rawValue, .quorum(), arguments: movingMessages(to: queue.deadLetterQueue))
                .bound(to: queue.source.rawValue)
        }
    }

    /// Reached through the default exchange by its name, so it needs no binding.
    private static func deadLetters(of queue: PipelineQueue, _ type: QueueType) -> Queue {
        Queue(queue.deadLetterQueue, type == .quorum ? .quorum() : .classic)
    }

    /// A queue that nobody consumes: its messages expire, and go back to where they failed.
    ///
    /// Always a quorum queue, since a classic one moves an expired message without waiting for a confirm, and loses it
    /// where the main queue is full, deleted, or on a node that is away (RabbitMQ, "Dead Letter Exchanges: Safety").
    private static func retries(of queue: PipelineQueue, after delay: RetryDelay) -> Queue {
        var arguments = movingMessages(to: queue.rawValue)
        arguments["x-message-ttl"] = .int64(delay.milliseconds)
        return Queue(queue.retryQueue(after: delay), .quorum(), arguments: arguments)
    }

    /// Dead-lettering that keeps a message until the queue of that name has confirmed it. RabbitMQ asks for
    /// `reject-publish` beside it.
    private static func movingMessages(to queue: String) -> FieldTable {
        [
            "x-dead-letter-exchange": "", "x-dead-letter-routing-key": .string(queue),
            "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
        ]
    }
}
