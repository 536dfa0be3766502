public import LocalBroker

/// How RabbitMQ's versions differ in what tests see of them.
extension BrokerVersion {
    /// Quorum queues have a delivery limit of 20 unless told otherwise.
    public var hasDefaultDeliveryLimit: Bool { self >= BrokerVersion(4, 0) }

    /// A consumer that does not settle in time is cancelled, on quorum queues only; before, its channel was closed.
    public var cancelsLateConsumers: Bool { self >= BrokerVersion(4, 3) }

    /// Transient queues that are not exclusive can be refused. (4.0 can too, but may then not start after a `kill -9`.)
    public var canRefuseTransientQueues: Bool { self >= BrokerVersion(4, 3) }

    /// Headers that a quorum queue adds to what it delivers for the first time.
    public var headersOfQuorumDeliveries: Set<String> { self >= BrokerVersion(4, 3) ? ["x-acquired-count"] : [] }
}
