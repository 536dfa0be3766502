/// Why a payment failed. Reasons that we do not know are kept as they were written.
package struct FailureReason: RawRepresentable, Sendable, Hashable {
    package let rawValue: String

    package init(rawValue: String) {
        self.rawValue = rawValue
    }

    package static let insufficientFunds = FailureReason(rawValue: "Insufficient funds")
    package static let cardExpired = FailureReason(rawValue: "Card expired")
    package static let fraudDetected = FailureReason(rawValue: "Fraud detected")
    package static let networkError = FailureReason(rawValue: "Network error")

    /// The reasons of our own payments. Their order and number are part of every decision: never change them.
    package static let known: [FailureReason] = [.insufficientFunds, .cardExpired, .fraudDetected, .networkError]
}
