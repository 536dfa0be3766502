/// What a payment gateway says about a charge.
package struct ChargeAnswer: Sendable, Equatable {
    package enum Outcome: Sendable, Equatable {
        case charged
        case declined(FailureReason)
    }

    package let outcome: Outcome
    package let method: PaymentMethod
    package let processingTime: ProcessingTime

    package init(outcome: Outcome, method: PaymentMethod, processingTime: ProcessingTime) {
        self.outcome = outcome
        self.method = method
        self.processingTime = processingTime
    }
}
