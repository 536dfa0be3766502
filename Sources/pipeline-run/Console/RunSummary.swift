import Logging
import Pipeline

/// The numbers of a run in a line.
struct RunSummary: Sendable {
    private let counts: OrderCounts
    private let tally: OrderTally
    private let elapsed: Duration

    init(_ tally: OrderTally, elapsed: Duration) {
        self.tally = tally
        self.elapsed = elapsed
        counts = tally.own + tally.others
    }

    /// For a person, as long as it runs.
    var text: String {
        var parts = [
            "\(counts.orders) orders", "\(counts.paymentsSuccess) paid", "\(counts.paymentsFailed) declined",
            "\(counts.shipments) shipped", "\(counts.notifications) notices", "\(tally.open) in progress",
        ]
        if tally.deadLettered > 0 { parts.append("\(tally.deadLettered) put aside") }
        if tally.redelivered > 0 { parts.append("\(tally.redelivered) redelivered") }
        return "── \(elapsed.components.seconds) s ── " + parts.joined(separator: " · ")
    }

    /// For a machine, as long as it runs.
    var metadata: Logger.Metadata {
        [
            "orders": .stringConvertible(counts.orders),
            "payments_success": .stringConvertible(counts.paymentsSuccess),
            "payments_failed": .stringConvertible(counts.paymentsFailed),
            "shipments": .stringConvertible(counts.shipments),
            "notifications": .stringConvertible(counts.notifications),
            "in_progress": .stringConvertible(tally.open),
            "dead_lettered": .stringConvertible(tally.deadLettered),
            "redelivered": .stringConvertible(tally.redelivered),
        ]
    }

    /// How far a run of so many orders is, short enough that any log line covers it.
    func progress(of maximum: Int64) -> String {
        let width: Int64 = 20
        let share = maximum > 0 ? min(tally.settled, maximum) * width / maximum : 0
        let bar = String(repeating: "█", count: Int(share)) + String(repeating: "░", count: Int(width - share))
        return "\(bar) \(tally.settled) of \(maximum) settled"
    }

    /// The one line of data that `all` ends with.
    func json(_ remainder: QueueWatch.Remainder) -> String {
        let own = tally.own
        let (seconds, attoseconds) = elapsed.components
        let tenths = attoseconds / 100_000_000_000_000_000
        let others = tally.others
        let otherEvents =
            others.orders + others.paymentsSuccess + others.paymentsFailed + others.shipments + others.notifications
        return "{\"orders\":\(own.orders),\"payments_success\":\(own.paymentsSuccess),"
            + "\"payments_failed\":\(own.paymentsFailed),\"shipments\":\(own.shipments),"
            + "\"notifications\":\(own.notifications),\"dead_lettered\":\(tally.deadLettered),"
            + "\"redelivered\":\(tally.redelivered),\"lost\":\(remainder.lost),"
            + "\"still_queued\":\(remainder.queued),\"not_followed\":\(remainder.notFollowed),"
            + "\"other_events\":\(otherEvents),\"seconds\":\(seconds).\(tenths)}"
    }
}
