package import ActorBus

/// The failures that a message has behind it, as its headers tell.
///
/// They are counted by the services themselves: what brokers count differs with their versions and with the type of the
/// queue. Read leniently, since anyone may put anything there.
package struct FailureHistory: Sendable, Equatable {
    /// Attempts of earlier deliveries.
    package let attempts: Int64
    /// Stays in retry queues.
    package let retries: Int
    /// Nil where the message has never failed.
    package let firstFailedAt: Timestamp?
    /// The exchange that the message was first published to; nil where it has not been published again since.
    package let originalExchange: String?

    package init(of headers: FieldTable) {
        attempts = Self.count(headers[Header.attempts])
        retries = Int(clamping: Self.count(headers[Header.retries]))
        firstFailedAt = headers[Header.firstFailedAt]?.text.flatMap { Timestamp($0) }
        originalExchange = headers[Header.originalExchange]?.text
    }

    /// As the headers tell of a message that was delivered from that exchange.
    ///
    /// Only what came over the default exchange can have been in one of our queues before. Elsewhere such headers are a
    /// producer's own, and would take from its message the attempts it is to have.
    package init(of headers: FieldTable, deliveredFrom exchange: String) {
        self = exchange.isEmpty ? FailureHistory(of: headers) : .none
    }

    /// Of a message that has not failed yet.
    package static let none = FailureHistory(of: [:])

    /// A number that no addition of ours can make overflow.
    private static func count(_ value: FieldValue?) -> Int64 { min(max(value?.integer ?? 0, 0), 1 << 52) }

    /// The names of the headers.
    package enum Header {
        package static let attempts = "x-attempts"
        package static let retries = "x-retries"
        package static let firstFailedAt = "x-first-failed-at"
        package static let originalExchange = "x-original-exchange"
    }
}
