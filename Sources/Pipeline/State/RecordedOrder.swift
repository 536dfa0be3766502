/// An order that is written down, and so published until it is confirmed.
package struct RecordedOrder: Sendable, Equatable {
    package let orderID: Int64
    package let identity: OrderIdentity
    /// The moment of the order, to the millisecond.
    package let time: Timestamp
    /// The message body, the same bytes at every publication.
    package let body: [UInt8]
}
