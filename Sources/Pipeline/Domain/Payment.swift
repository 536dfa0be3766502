/// What became of the attempt to charge an order; the message on the `payments` exchange.
package struct Payment: Sendable, Equatable {
    package enum Status: String, Sendable, Hashable, CaseIterable {
        case success
        case failed
    }

    package let orderID: Int64
    package let customerEmail: String
    package let amount: Money
    package let currency: String
    package let status: Status
    /// Nil only in a stranger's failed payment; so is `transactionID`.
    package let method: PaymentMethod?
    package let transactionID: String?
    package let timestamp: Timestamp
    /// The timestamp's text in the message.
    package let writtenTimestamp: String
    package let processingTime: ProcessingTime
    package let failureReason: FailureReason?

    /// The payment of an order as the gateway answered, at the moment of its answer.
    package init(of order: Order, answer: ChargeAnswer, at timestamp: Timestamp) {
        orderID = order.orderID
        customerEmail = order.customerEmail
        amount = order.totalAmount
        currency = order.currency
        method = answer.method
        transactionID = TransactionID.text(of: order)
        self.timestamp = timestamp
        writtenTimestamp = timestamp.text
        processingTime = answer.processingTime
        switch answer.outcome {
        case .charged: (status, failureReason) = (.success, nil)
        case .declined(let reason): (status, failureReason) = (.failed, reason)
        }
    }

    /// Reads a message body. Throws where a field is missing, of the wrong type or out of range; further fields are ignored.
    package init(json body: [UInt8]) throws(MalformedMessage) {
        let fields = try MessageFields(message: body)
        orderID = try fields.whole("order_id")
        customerEmail = try fields.address("customer_email")
        amount = try fields.money("amount")
        currency = try fields.currency("currency")
        status = try fields.status(oneOf: "success", "failed") == "success" ? .success : .failed
        if status == .success {
            method = PaymentMethod(rawValue: try fields.string("payment_method"))
            transactionID = try fields.string("transaction_id")
        } else {
            method = try fields.stringOrNull("payment_method").map { PaymentMethod(rawValue: $0) }
            transactionID = try fields.stringOrNull("transaction_id")
        }
        (timestamp, writtenTimestamp) = try fields.time("timestamp")
        processingTime = ProcessingTime(hundredths: try fields.hundredths("processing_time"))
        failureReason = try fields.stringOrNull("failure_reason").map { FailureReason(rawValue: $0) }
    }

    /// The message body.
    package func encoded() -> [UInt8] {
        var json = JSONWriter(capacity: 384)
        json.beginObject()
        json.name("order_id")
        json.whole(orderID)
        json.name("customer_email")
        json.string(customerEmail)
        json.name("amount")
        json.hundredths(amount.cents)
        json.name("currency")
        json.string(currency)
        json.name("status")
        json.string(status.rawValue)
        json.name("payment_method")
        json.string(method?.rawValue)
        json.name("transaction_id")
        json.string(transactionID)
        json.name("timestamp")
        json.string(timestamp.text)
        json.name("processing_time")
        json.hundredths(processingTime.hundredths)
        json.name("failure_reason")
        json.string(failureReason?.rawValue)
        json.endObject()
        return json.bytes
    }
}
