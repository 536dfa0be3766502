package import ActorBus

/// The headers that events carry beside their properties.
enum EventHeader {
    /// Where the message stands in a trace (W3C Trace Context).
    static let traceParent = "traceparent"
    /// What tracing systems add to the trace (W3C Trace Context).
    static let traceState = "tracestate"
    /// What the application lets travel along (W3C Baggage).
    static let baggage = "baggage"
    /// The moment of the order, in milliseconds since 1970.
    static let orderTime = "x-order-time"
}

/// What travels with an order from event to event, beside the events themselves.
package struct EventContext: Sendable, Equatable {
    package let identity: OrderIdentity
    /// The moment of the order; nil where a stranger's message does not say it.
    package let orderTime: Timestamp?
    package let trace: TraceContext

    package init(identity: OrderIdentity, orderTime: Timestamp?, trace: TraceContext) {
        self.identity = identity
        self.orderTime = orderTime
        self.trace = trace
    }

    /// What a message that was read as `event` brings along. Where it says nothing of it, as the original's do not, the
    /// identity is derived from its fields, and the trace is a new one.
    package init<Event: PipelineEvent>(of event: Event, properties: MessageProperties, in world: World = .real) {
        identity = properties.orderIdentity ?? event.derivedIdentity
        let written = properties.headers[EventHeader.orderTime]?.integer
        if let written, written > 0 {
            orderTime = Timestamp(clamping: written)
        } else {
            orderTime = Event.kind == .order ? event.timestamp : nil
        }
        trace = TraceContext(headers: properties.headers, in: world)
    }

    /// The message that tells of an event of this order. The same event has the same `message_id` whenever and wherever
    /// this is called; the trace gets a span for each call.
    package func message<Event: PipelineEvent>(of event: Event, from appID: String) -> Message {
        var headers = trace.nextHeaders
        if let orderTime { headers[EventHeader.orderTime] = .int64(orderTime.milliseconds) }
        return Message(
            body: event.encoded(),
            properties: MessageProperties(
                contentType: "application/json",
                headers: headers,
                deliveryMode: .persistent,
                correlationID: identity.text,
                messageID: identity.messageID(of: Event.kind),
                timestamp: UInt64(max(event.timestamp.seconds, 0)),
                type: Event.kind.rawValue,
                appID: appID))
    }
}
