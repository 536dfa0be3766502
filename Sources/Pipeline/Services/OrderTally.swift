/// How often each thing happened.
package struct OrderCounts: Sendable, Equatable {
    package var orders: Int64 = 0
    package var paymentsSuccess: Int64 = 0
    package var paymentsFailed: Int64 = 0
    package var shipments: Int64 = 0
    package var notifications: Int64 = 0

    package init() {}

    package static func + (left: OrderCounts, right: OrderCounts) -> OrderCounts {
        var sum = OrderCounts()
        sum.orders = left.orders + right.orders
        sum.paymentsSuccess = left.paymentsSuccess + right.paymentsSuccess
        sum.paymentsFailed = left.paymentsFailed + right.paymentsFailed
        sum.shipments = left.shipments + right.shipments
        sum.notifications = left.notifications + right.notifications
        return sum
    }
}

/// The numbers of a run at one moment, without its orders.
package struct OrderTotals: Sendable, Equatable {
    /// Of orders of any origin.
    package var counts = OrderCounts()
    /// Orders of this run that are not settled.
    package var open: Int64 = 0
    package var deadLettered: Int64 = 0
    package var redelivered: Int64 = 0

    package init() {}
}

/// Follows the orders of a run from their making until they are settled at every stage; then they are forgotten.
///
/// An order is settled when it is confirmed, its payment is made, both are notified, and, where the payment succeeded,
/// it is shipped and that is notified too. What a dead letter has put aside, and what would have come of it, is not
/// waited for; the order's other stages are. Its memory grows with the open orders, so whoever makes orders has to be
/// held back by them. Pure: told of events, asked for numbers.
package struct OrderTally: Sendable {
    /// What has happened to an order so far, or never will.
    private struct Progress: OptionSet, Sendable {
        let rawValue: UInt8

        static let confirmed = Progress(rawValue: 1)
        static let paid = Progress(rawValue: 2)
        static let declined = Progress(rawValue: 4)
        static let shipped = Progress(rawValue: 8)
        static let orderNotified = Progress(rawValue: 16)
        static let paymentNotified = Progress(rawValue: 32)
        static let shipmentNotified = Progress(rawValue: 64)

        var isSettled: Bool {
            isSuperset(of: [.confirmed, .declined, .orderNotified, .paymentNotified])
                || isSuperset(of: [
                    .confirmed, .paid, .shipped, .orderNotified, .paymentNotified, .shipmentNotified,
                ])
        }
    }

    /// What happened to the orders of this run.
    package private(set) var own = OrderCounts()
    /// What happened to others: of earlier runs, or of other generators.
    package private(set) var others = OrderCounts()
    package private(set) var deadLettered: Int64 = 0
    package private(set) var redelivered: Int64 = 0
    /// Orders of this run of which nothing more is to come.
    package private(set) var settled: Int64 = 0
    /// Orders that the broker confirmed and that are not followed any more, since nothing moved and no queue held them.
    package private(set) var givenUp: Int64 = 0
    /// Changes whenever anything happens.
    package private(set) var events: UInt64 = 0

    private var followed: [OrderIdentity: Progress] = [:]

    package init() {}

    /// Orders of this run that are followed and not settled.
    package var open: Int { followed.count }
    /// Of them, those that the broker has confirmed; the others are safe in the outbox.
    package var openAndConfirmed: Int64 {
        followed.values.reduce(0) { $0 + ($1.contains(.confirmed) ? 1 : 0) }
    }

    package var totals: OrderTotals {
        var totals = OrderTotals()
        totals.counts = own + others
        totals.open = Int64(open)
        totals.deadLettered = deadLettered
        totals.redelivered = redelivered
        return totals
    }

    package mutating func note(_ event: OrderEvent) {
        events &+= 1
        switch event {
        case .placing(let identity):
            followed[identity] = []
        case .ordered(_, let identity):
            count(identity, .confirmed, \.orders)
        case .paid(let payment, let identity):
            switch payment.status {
            case .success: count(identity, .paid, \.paymentsSuccess)
            case .failed: count(identity, .declined, \.paymentsFailed)
            }
        case .shipped(_, let identity):
            count(identity, .shipped, \.shipments)
        case .notified(let notification, let identity):
            count(identity, Self.progress(of: notification.kind), \.notifications)
        case .deadLettered(let queue, let identity, _):
            deadLettered += 1
            if let identity, let order = followed[identity] { advance(order, identity, by: Self.missing(queue)) }
        case .retried:
            break
        case .redelivered:
            redelivered += 1
        }
    }

    private static func progress(of kind: Notification.Kind) -> Progress {
        switch kind {
        case .orderConfirmation: .orderNotified
        case .paymentSuccess, .paymentFailed: .paymentNotified
        case .shipmentNotification: .shipmentNotified
        }
    }

    /// What is not to come when a message of a queue is put aside. Without a payment there is no shipment either, just
    /// as after one that was declined.
    private static func missing(_ queue: PipelineQueue) -> Progress {
        switch queue {
        case .payment: [.declined, .paymentNotified]
        case .fulfillment: [.shipped, .shipmentNotified]
        case .orderNotices: .orderNotified
        case .paymentNotices: .paymentNotified
        case .shipmentNotices: .shipmentNotified
        }
    }

    private mutating func count(
        _ identity: OrderIdentity, _ step: Progress, _ counter: WritableKeyPath<OrderCounts, Int64>
    ) {
        guard let order = followed[identity] else {
            others[keyPath: counter] += 1
            return
        }
        own[keyPath: counter] += 1
        advance(order, identity, by: step)
    }

    private mutating func advance(_ progress: Progress, _ identity: OrderIdentity, by steps: Progress) {
        let progress = progress.union(steps)
        if progress.isSettled {
            followed[identity] = nil
            settled += 1
        } else {
            followed[identity] = progress
        }
    }

    /// Follows the open orders no longer that the broker has confirmed; what still happens to them is others'. Returns
    /// how many they are.
    package mutating func giveUpConfirmed() -> Int64 {
        let count = openAndConfirmed
        events &+= 1
        givenUp += count
        followed = followed.filter { !$0.value.contains(.confirmed) }
        return count
    }
}
