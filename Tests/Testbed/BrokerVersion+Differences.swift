public import LocalBroker

/// How RabbitMQ's versions differ in what tests see of them.
extension BrokerVersion {
    /// Quorum queues have a delivery limit of 20 unless told otherwise.
    public var hasDefaultDeliveryLimit: Bool { self >= BrokerVersion(4, 0) }

    /// A consumer that does not settle in time is cancelled, on quorum queues only; before, its channel was closed.
    public var cancelsLateConsumers: Bool { self >= BrokerVersion(4, 3) }

    /// Transient queues that are not exclusive are refused.
    public var refusesTransientQueues: Bool { self >= BrokerVersion(4, 3) }
}
