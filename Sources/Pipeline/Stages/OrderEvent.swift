/// What happens to orders in this process, told as it happens.
///
/// Effects are told once for each order, as the metrics count them; repetitions are not.
package enum OrderEvent: Sendable {
    /// The generator is about to publish an order of this run. Told before, since its payment may be seen before its
    /// confirm.
    case placing(OrderIdentity)
    /// The broker confirmed an order.
    case ordered(Order, OrderIdentity)
    case paid(Payment, OrderIdentity)
    case shipped(Shipment, OrderIdentity)
    case notified(Notification, OrderIdentity)
    /// A message failed for now and comes back after a while; `attempt` counts all of its attempts. As with a dead letter, the
    /// identity is nil where the message does not state it.
    case retried(PipelineQueue, OrderIdentity?, attempt: Int64, after: RetryDelay, reason: String)
    /// A message went to a dead-letter queue.
    case deadLettered(PipelineQueue, OrderIdentity?, reason: String)
    /// The broker delivered a message that it had delivered before.
    case redelivered(PipelineQueue)
}

/// Whoever wants to know of the events of a process: the lines on a terminal, the tally of a run.
package struct PipelineObserver: Sendable {
    private let observe: @Sendable (OrderEvent) -> Void

    /// - Parameter observe: called on the task in which the event happens, so it must not block.
    package init(_ observe: @escaping @Sendable (OrderEvent) -> Void) {
        self.observe = observe
    }

    package func callAsFunction(_ event: OrderEvent) {
        observe(event)
    }
}
