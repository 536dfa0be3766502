/// How a delivery ends.
public enum Settlement: Sendable, Hashable {
    /// The work is done (basic.ack).
    case acknowledge
    /// Back to its queue, to be delivered again (basic.nack with requeue).
    case requeue
    /// Not wanted: the broker dead-letters the message, and destroys it where the queue has no dead-letter exchange
    /// (basic.nack without requeue).
    case reject
}

/// Which deliveries of a channel are unsettled, and which frames settle those that have been (AMQP 0-9-1, basic.ack;
/// RabbitMQ, "Negative Acknowledgements").
///
/// An acknowledgment covers several deliveries (`multiple`) only where every delivery below it is settled, so work that
/// is still going on is never acknowledged by what came after it. Pure: no I/O and no clock.
struct AcknowledgmentLedger {
    /// A frame to be sent.
    enum Frame: Equatable {
        case acknowledge(deliveryTag: UInt64, multiple: Bool)
        case negative(deliveryTag: UInt64, requeue: Bool)
    }

    private enum State {
        case unsettled
        case acknowledged
        /// Its frame has been sent, or is in `negatives`.
        case gone
    }

    /// From the oldest unsettled delivery on: a byte for each that came behind it. What bounds them is how long the broker
    /// waits for a settlement before it closes the channel (RabbitMQ, "Delivery Acknowledgement Timeout": 30 minutes).
    private var states = Ring<State>()
    /// The delivery tag of the first of `states`.
    private var first: UInt64
    /// Acknowledged since the last flush.
    private var acknowledged: [UInt64] = []
    private var negatives: [Frame] = []
    /// Deliveries handed over and not settled.
    private(set) var unsettled = 0

    /// A ledger for a channel whose next delivery has this tag: 1 on a new channel.
    init(first: UInt64 = 1) { self.first = first }

    /// Notes a delivery. False when its tag is not the next one, which the protocol promises.
    mutating func deliver(_ deliveryTag: UInt64) -> Bool {
        guard deliveryTag == first + UInt64(states.count) else { return false }
        states.append(.unsettled)
        unsettled += 1
        return true
    }

    /// Settles a delivery; its frame comes with the next `flush`. False, and nothing changed, for one that is unknown
    /// or settled.
    mutating func settle(_ deliveryTag: UInt64, _ settlement: Settlement) -> Bool {
        guard deliveryTag >= first, deliveryTag - first < UInt64(states.count) else { return false }
        let position = Int(deliveryTag - first)
        guard states[position] == .unsettled else { return false }
        unsettled -= 1
        switch settlement {
        case .acknowledge:
            states[position] = .acknowledged
            acknowledged.append(deliveryTag)
        case .requeue, .reject:
            states[position] = .gone
            negatives.append(.negative(deliveryTag: deliveryTag, requeue: settlement == .requeue))
        }
        return true
    }

    /// The frames for everything settled since the last flush, in the order in which they must be sent.
    mutating func flush<Failure: Error>(_ send: (Frame) throws(Failure) -> Void) throws(Failure) {
        for frame in negatives { try send(frame) }
        negatives.removeAll(keepingCapacity: true)
        guard !acknowledged.isEmpty || states.first == .gone else { return }
        var last: UInt64 = 0
        var covered = 0
        while let state = states.first, state != .unsettled {
            if state == .acknowledged {
                last = first
                covered += 1
            }
            _ = states.popFirst()
            first += 1
        }
        if covered > 0 { try send(.acknowledge(deliveryTag: last, multiple: covered > 1)) }
        for deliveryTag in acknowledged where deliveryTag >= first {
            states[Int(deliveryTag - first)] = .gone
            try send(.acknowledge(deliveryTag: deliveryTag, multiple: false))
        }
        acknowledged.removeAll(keepingCapacity: true)
    }
}
