/// What happened to an order; the `type` of its message.
package enum EventKind: String, Sendable, Hashable, CaseIterable {
    case order
    case payment
    case shipment
}
