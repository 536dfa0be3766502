import ActorBus
import Pipeline
import Testing

@Suite struct EventContextTests {
    private static let order = Order(
        orderID: 42, customerEmail: "alice@example.com", items: [], totalAmount: .zero, currency: "EUR",
        timestamp: Timestamp(clamping: 1_767_781_800_500))

    private static var payment: Payment {
        Payment(
            of: order,
            answer: ChargeAnswer(outcome: .charged, method: .paypal, processingTime: ProcessingTime(hundredths: 123)),
            at: Timestamp(clamping: 1_767_781_802_000))
    }

    @Test func `a message without properties gets an identity, an order time and a trace`() {
        let context = EventContext(of: Self.order, properties: MessageProperties(deliveryMode: nil))
        #expect(context.identity.text == "42@2026-01-07T10:30:00Z")
        #expect(context.orderTime == Self.order.timestamp)
        #expect(TraceParent(context.trace.text) == context.trace)
    }

    @Test func `what a message brings is carried on`() throws {
        let trace = TraceParent()
        let properties = MessageProperties(
            headers: ["x-order-time": .int64(1_767_781_799_123), "traceparent": .string(trace.text)],
            correlationID: "shop-42")
        let context = EventContext(of: Self.order, properties: properties)
        #expect(
            context
                == EventContext(
                    identity: OrderIdentity("shop-42"), orderTime: Timestamp(clamping: 1_767_781_799_123), trace: trace)
        )

        let message = context.message(of: Self.payment, from: "payment-service")
        let sent = message.properties
        #expect(message.body == Self.payment.encoded())
        #expect(sent.contentType == "application/json")
        #expect(sent.deliveryMode == .persistent)
        #expect(sent.messageID == "shop-42/payment")
        #expect(sent.correlationID == "shop-42")
        #expect(sent.timestamp == 1_767_781_802)
        #expect(sent.type == "payment")
        #expect(sent.appID == "payment-service")
        #expect(sent.headers["x-order-time"] == .int64(1_767_781_799_123))
        let sentTrace = try #require(sent.headers["traceparent"]?.text)
        #expect(sentTrace != trace.text)
        #expect(sentTrace.prefix(35) == trace.text.prefix(35))
        #expect(sent.headers.count == 2)
    }

    @Test func `the same event has the same message id, and each message a span of its own`() {
        let context = EventContext(of: Self.order, properties: MessageProperties())
        let first = context.message(of: Self.payment, from: "payment-service")
        let second = context.message(of: Self.payment, from: "payment-service")
        #expect(first.properties.messageID == second.properties.messageID)
        #expect(first.properties.headers["traceparent"] != second.properties.headers["traceparent"])
    }

    @Test(arguments: [FieldValue.int64(0), .int64(-5), .string("1767781799123"), .bool(true), .table([:])])
    func `an order time that is none is not believed`(value: FieldValue) {
        let properties = MessageProperties(headers: ["x-order-time": value])
        #expect(EventContext(of: Self.order, properties: properties).orderTime == Self.order.timestamp)
        // The moment of a payment is not the moment of its order.
        #expect(EventContext(of: Self.payment, properties: properties).orderTime == nil)
    }

    @Test func `an unknown order time is not sent on`() {
        let context = EventContext(of: Self.payment, properties: MessageProperties())
        #expect(context.message(of: Self.payment, from: "x").properties.headers["x-order-time"] == nil)
    }

    @Test func `the largest order time does not trap`() {
        let properties = MessageProperties(headers: ["x-order-time": .int64(.max)])
        #expect(EventContext(of: Self.order, properties: properties).orderTime == .latest)
    }
}
