import Testing

@testable import Pipeline

/// What follows from what: payments from orders, shipments from payments, notices from all of them.
@Suite("Event chain")
struct EventChainTests {
    private let order: Order
    private let later = Timestamp(clamping: 1_767_781_802_345)

    init() throws {
        order = try Order(json: Array(SampleMessages.order.utf8))
    }

    private func payment(_ outcome: ChargeAnswer.Outcome) -> Payment {
        let answer = ChargeAnswer(outcome: outcome, method: .paypal, processingTime: ProcessingTime(milliseconds: 1234))
        return Payment(of: order, answer: answer, at: later)
    }

    @Test("a payment keeps customer, amount and currency, and has method and transaction either way")
    func payments() {
        for payment in [payment(.charged), payment(.declined(.cardExpired))] {
            #expect(payment.orderID == 42)
            #expect(payment.customerEmail == order.customerEmail)
            #expect(payment.amount == order.totalAmount)
            #expect(payment.currency == order.currency)
            #expect(payment.method == .paypal)
            #expect(payment.transactionID == "TXN-42-1767781800")
            #expect(payment.timestamp.text == "2026-01-07T10:30:02Z")
            #expect(payment.processingTime.hundredths == 123)
        }
        #expect(payment(.charged).status == .success)
        #expect(payment(.charged).failureReason == nil)
        #expect(payment(.declined(.cardExpired)).status == .failed)
        #expect(payment(.declined(.cardExpired)).failureReason == .cardExpired)
        #expect(String(decoding: payment(.charged).encoded(), as: UTF8.self).contains(#""failure_reason":null"#))
    }

    @Test("a shipment's number comes of the transaction, its delivery of the shipment's time")
    func shipments() {
        let shipment = Shipment(of: payment(.charged), booking: Booking(carrier: .ups, deliveryDays: 5), at: later)
        #expect(shipment.trackingNumber == "TRACK-42-1767781800")
        #expect(shipment.estimatedDelivery.text == "2026-01-12T10:30:02Z")
        #expect(shipment.carrier == .ups)
        #expect(shipment.customerEmail == order.customerEmail)
    }

    @Test(
        "tracking numbers of other transaction ids",
        arguments: [
            ("TXN-42-1736244600", "TRACK-42-1736244600"),
            ("TXN-42--5", "TRACK-42--5"),
            ("TXN-42-0000000007", "TRACK-42-7"),
            ("TXN-42-+5", "TRACK-42-1767781802"),
            ("TXN-42-", "TRACK-42-1767781802"),
            ("TXN-42-12x", "TRACK-42-1767781802"),
            ("TXN-42-99999999999999999999", "TRACK-42-1767781802"),
            ("TXN-421-1736244600", "TRACK-42-1767781802"),
            ("txn_5f3a", "TRACK-42-1767781802"),
            ("", "TRACK-42-1767781802"),
        ])
    func trackingNumbers(transactionID: String, tracking: String) throws {
        let body = SampleMessages.changed(SampleMessages.payment, "transaction_id", to: "\"\(transactionID)\"")
        #expect(TrackingNumber.text(of: try Payment(json: body)) == tracking)
    }

    @Test("notices have the original's words")
    func notifications() throws {
        let confirmation = Notification(of: order)
        #expect(confirmation.text == "Order #42 received - Total: €1299.99")
        #expect(confirmation.kind.rawValue == "order_confirmation")
        #expect(confirmation.topic == "orders")
        #expect(confirmation.recipient == "alice@example.com")

        let success = Notification(of: payment(.charged))
        #expect(success.text == "Payment successful for order #42")
        #expect(success.kind.rawValue == "payment_success")
        #expect(success.topic == "payments")

        let failure = Notification(of: payment(.declined(.insufficientFunds)))
        #expect(failure.text == "Payment failed for order #42 - Insufficient funds")
        #expect(failure.kind.rawValue == "payment_failed")
        #expect(failure.topic == "payments")

        let shipped = Notification(of: try Shipment(json: Array(SampleMessages.shipment.utf8)))
        #expect(shipped.text == "Order #42 shipped - Tracking: TRACK-42-1736244605")
        #expect(shipped.kind.rawValue == "shipment_notification")
        #expect(shipped.topic == "shipments")
    }

    @Test("notices are one line, and name other currencies")
    func strangeNotifications() throws {
        let dollars = try Order(json: SampleMessages.changed(SampleMessages.order, "currency", to: "\"USD\""))
        #expect(Notification(of: dollars).text == "Order #42 received - Total: USD 1299.99")
        #expect(
            Notification(of: payment(.declined(FailureReason(rawValue: "a\nb\u{1B}c")))).text
                == "Payment failed for order #42 - a\\u{a}b\\u{1b}c")
        let failed = SampleMessages.payment.replacing("\"success\"", with: "\"failed\"")
        #expect(
            Notification(of: try Payment(json: Array(failed.utf8))).text
                == "Payment failed for order #42 - no reason given")
    }

    @Test(
        "processing times are rounded to the hundredth",
        arguments: [
            (0, 0), (4, 0), (5, 1), (1234, 123), (1235, 124), (2000, 200), (Int64.max, Int64.max / 10),
        ] as [(Int64, Int64)])
    func processingTimes(milliseconds: Int64, hundredths: Int64) {
        #expect(ProcessingTime(milliseconds: milliseconds).hundredths == hundredths)
    }
}
