/// Why a letter is one, as `x-error` has it, or as the broker has it of a message that it dead-lettered itself.
package enum DeadLetterClass: String, Sendable, CaseIterable {
    case malformed, rejected, exhausted
    /// Handed out by a quorum queue as often as it allows.
    case deliveryLimit = "delivery_limit"
    /// Older than its queue or the message allows.
    case expired
    /// Its queue was full.
    case maxLength = "maxlen"
}

/// Which dead letters are meant. What is nil says nothing, and all that is said has to be so.
package struct DeadLetterFilter: Sendable, Equatable {
    package var error: DeadLetterClass?
    /// A part of `x-reason`, in capitals or not.
    package var reason: String?
    /// The order's identity or its number, or the whole `correlation_id`, which others use as they like.
    package var order: String?
    /// First failed longer ago than this.
    package var olderThan: Duration?
    /// First failed less long ago than this.
    package var newerThan: Duration?

    package init(
        error: DeadLetterClass? = nil, reason: String? = nil, order: String? = nil, olderThan: Duration? = nil,
        newerThan: Duration? = nil
    ) {
        self.error = error
        self.reason = reason
        self.order = order
        self.olderThan = olderThan
        self.newerThan = newerThan
    }

    /// Whether nothing is said, so that every letter is meant.
    package var takesAll: Bool { self == DeadLetterFilter() }

    /// Whether a letter is meant. One that does not say when it failed has no age, and no filter by age means it.
    package func matches(_ letter: StoredDeadLetter, at now: Timestamp) -> Bool {
        if let error, letter.error != error.rawValue { return false }
        if let reason, !(letter.reason ?? "").lowercased().contains(reason.lowercased()) { return false }
        if olderThan != nil || newerThan != nil {
            guard let failedAt = letter.firstFailedAt else { return false }
            let age = Duration.milliseconds(now.milliseconds - failedAt.milliseconds)
            if let olderThan, age < olderThan { return false }
            if let newerThan, age >= newerThan { return false }
        }
        if let order, letter.correlationID != order {
            // Last, since it reads the body.
            let isNumber = Int64(order).map { letter.orderID == $0 } ?? false
            guard isNumber || letter.identity?.text == order else { return false }
        }
        return true
    }
}
