/// What has lately become of orders: the newest of them, why payments failed, and what was put aside.
///
/// Bounded, whatever comes. Pure: told of events and times.
package struct OrderBoard: Sendable {
    /// A message that went to a dead-letter queue.
    package struct Letter: Sendable, Equatable {
        package let time: Timestamp
        package let queue: PipelineQueue
        /// The order's number where it is on the board, else its identity, where the message has one.
        package let order: String?
        package let reason: String
    }

    package struct Reason: Sendable, Equatable {
        package let name: String
        package var count: Int64
    }

    /// So many of each kind are shown. Orders that only wait come in floods; they must not push out those with which
    /// something happens.
    static let mostWaiting = 12
    static let mostMoving = 38
    /// So many of each kind are kept in mind, so that what comes next finds the beginning; of more the older half goes.
    static let mostKept = 1024
    static let mostLetters = 20
    /// Beside the four that are known.
    static let mostOtherReasons = 8

    private struct Entry: Sendable {
        var order: RecentOrder
        /// The number of the last event that touched it.
        var touched: UInt64
    }

    /// With which nothing has happened but that they were ordered.
    private var waiting: [OrderIdentity: Entry] = [:]
    private var moving: [OrderIdentity: Entry] = [:]
    private var events: UInt64 = 0
    /// The newest first.
    package private(set) var letters: [Letter] = []
    /// The known reasons first, then others as they came, the last of them standing for all that had no more room.
    package private(set) var reasons = FailureReason.known.map { Reason(name: $0.rawValue, count: 0) }

    package init() {}

    /// The orders that were touched last, the youngest first.
    package var orders: [RecentOrder] {
        let shown = Self.lastTouched(waiting, Self.mostWaiting) + Self.lastTouched(moving, Self.mostMoving)
        // Down to the identity, so that the same orders always stand alike.
        return shown.map { ($0.beginning?.time ?? $0.firstSeen, $0) }
            .sorted { left, right in
                (left.0, left.1.number ?? 0, left.1.identity.text)
                    > (right.0, right.1.number ?? 0, right.1.identity.text)
            }
            .map(\.1)
    }

    /// How many orders are kept in mind.
    var kept: Int { waiting.count + moving.count }

    private static func lastTouched(_ entries: [OrderIdentity: Entry], _ count: Int) -> [RecentOrder] {
        entries.values.sorted { $0.touched > $1.touched }.prefix(count).map(\.order)
    }

    package mutating func note(_ event: OrderEvent, at time: Timestamp) {
        events &+= 1
        switch event {
        case .placing(let identity), .ordered(_, let identity), .shipped(_, let identity), .notified(_, let identity):
            advance(identity, event, time)
        case .paid(let payment, let identity):
            if payment.status == .failed { count(payment.failureReason) }
            advance(identity, event, time)
        case .deadLettered(let queue, let identity, let reason):
            // Only of an order that is known: of the letter alone its number cannot be told.
            let known = identity.flatMap { waiting[$0] ?? moving[$0] }
            if let identity, known != nil { advance(identity, event, time) }
            let number = known?.order.number.map { "#\($0)" }
            letters.insert(
                Letter(
                    time: time, queue: queue, order: number ?? identity.map { PrintableText.of($0.text, limit: 60) },
                    reason: PrintableText.of(reason, limit: 200)),
                at: 0)
            if letters.count > Self.mostLetters { letters.removeLast() }
        case .retried, .redelivered:
            break
        }
    }

    private mutating func advance(_ identity: OrderIdentity, _ event: OrderEvent, _ time: Timestamp) {
        let known = waiting.removeValue(forKey: identity) ?? moving.removeValue(forKey: identity)
        var entry = known ?? Entry(order: RecentOrder(identity, firstSeen: time), touched: 0)
        entry.order.note(event, at: time)
        entry.touched = events
        if entry.order.waits {
            Self.keep(entry, in: &waiting)
        } else {
            Self.keep(entry, in: &moving)
        }
    }

    private static func keep(_ entry: Entry, in entries: inout [OrderIdentity: Entry]) {
        if entries.count >= mostKept {
            let middle = entries.values.map(\.touched).sorted()[entries.count / 2]
            entries = entries.filter { $0.value.touched >= middle }
        }
        entries[entry.order.identity] = entry
    }

    private mutating func count(_ reason: FailureReason?) {
        let name = reason.map { PrintableText.of($0.rawValue, limit: 80) } ?? "no reason given"
        if let place = reasons.firstIndex(where: { $0.name == name }) {
            reasons[place].count += 1
        } else if reasons.count < FailureReason.known.count + Self.mostOtherReasons {
            reasons.append(Reason(name: name, count: 1))
        } else if reasons.count == FailureReason.known.count + Self.mostOtherReasons {
            reasons.append(Reason(name: "other reasons", count: 1))
        } else {
            reasons[reasons.count - 1].count += 1
        }
    }
}
