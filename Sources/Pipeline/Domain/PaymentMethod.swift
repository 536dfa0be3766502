/// How an order was paid. Methods that we do not know are kept as they were written.
package struct PaymentMethod: RawRepresentable, Sendable, Hashable {
    package let rawValue: String

    package init(rawValue: String) {
        self.rawValue = rawValue
    }

    package static let creditCard = PaymentMethod(rawValue: "credit_card")
    package static let paypal = PaymentMethod(rawValue: "paypal")
    package static let bankTransfer = PaymentMethod(rawValue: "bank_transfer")

    /// The methods of our own payments. Their order and number are part of every decision: never change them.
    package static let known: [PaymentMethod] = [.creditCard, .paypal, .bankTransfer]
}
