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
        #expect(TraceParent(context.trace.parent.text) == context.trace.parent)
        #expect(context.trace.state == nil && context.trace.baggage == nil)
    }

    @Test func `what a message brings is carried on`() throws {
        let trace = TraceParent()
        let properties = MessageProperties(
            headers: [
                "x-order-time": .int64(1_767_781_799_123), "traceparent": .string(trace.text), "tracestate": "rojo=1",
                "baggage": "userId=alice", "mine": 5,
            ],
            correlationID: "shop-42", appID: "order-generator")
        let context = EventContext(of: Self.order, properties: properties)
        #expect(
            context
                == EventContext(
                    identity: OrderIdentity("shop-42"), orderTime: Timestamp(clamping: 1_767_781_799_123),
                    trace: TraceContext(
                        parent: trace, state: TraceState("rojo=1"), baggage: Baggage("userId=alice")))
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
        #expect(sent.headers["tracestate"] == "rojo=1" && sent.headers["baggage"] == "userId=alice")
        #expect(sent.headers.count == 4)
    }

    @Test(arguments: ["order-generator", "payment-service", "fulfillment-service"])
    func `the correlation id of our own messages is the identity`(appID: String) {
        let properties = MessageProperties(correlationID: "x-1", appID: appID)
        #expect(properties.orderIdentity?.text == "x-1")
        #expect(EventContext(of: Self.order, properties: properties).identity.text == "x-1")
        #expect(EventContext(of: Self.payment, properties: properties).identity.text == "x-1")
        let without = MessageProperties(correlationID: "", appID: appID)
        #expect(without.orderIdentity == nil)
        #expect(EventContext(of: Self.order, properties: without).identity.text == "42@2026-01-07T10:30:00Z")
    }

    @Test(arguments: [nil, "", "shop", "notification-service", "Order-Generator", "order-generator "])
    func `what others write there is not`(appID: String?) {
        let properties = MessageProperties(correlationID: "req-7", appID: appID)
        #expect(properties.orderIdentity == nil)
        let other = Order(
            orderID: 43, customerEmail: "b@example.com", items: [], totalAmount: .zero, currency: "EUR",
            timestamp: Self.order.timestamp)
        let contexts = [Self.order, other].map { EventContext(of: $0, properties: properties) }
        #expect(contexts.map(\.identity.text) == ["42@2026-01-07T10:30:00Z", "43@2026-01-07T10:30:00Z"])
        let messages = contexts.map { $0.message(of: Self.payment, from: "payment-service").properties }
        #expect(messages[0].messageID != messages[1].messageID, "two payments, not one")
        #expect(messages.map(\.correlationID) == contexts.map(\.identity.text))
        // The next stage takes over what ours wrote.
        #expect(EventContext(of: Self.payment, properties: messages[0]).identity == contexts[0].identity)
        #expect(EventContext(of: Self.payment, properties: properties).identity.text == "TXN-42-1767781800")
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
