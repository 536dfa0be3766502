/// What happened to an order, as a message tells it: an order, a payment or a shipment.
package protocol PipelineEvent: Sendable {
    static var kind: EventKind { get }
    /// The exchange that the event is published to.
    static var exchange: PipelineExchange { get }
    var orderID: Int64 { get }
    /// The moment it happened.
    var timestamp: Timestamp { get }

    /// Reads a message body. Throws where a field is missing, of the wrong type or out of range; further fields are ignored.
    init(json body: [UInt8]) throws(MalformedMessage)
    /// The message body.
    func encoded() -> [UInt8]
    /// The order's identity where the message does not state it.
    var derivedIdentity: OrderIdentity { get }
}

extension Order: PipelineEvent {
    package static var kind: EventKind { .order }
    package static var exchange: PipelineExchange { .orders }
}

extension Payment: PipelineEvent {
    package static var kind: EventKind { .payment }
    package static var exchange: PipelineExchange { .payments }
}

extension Shipment: PipelineEvent {
    package static var kind: EventKind { .shipment }
    package static var exchange: PipelineExchange { .shipments }
}
