/// What tells one order from every other, wherever its events travel; their `correlation_id`.
///
/// Never longer than the 255 bytes that AMQP allows a short string: a longer text keeps its beginning, and a digest
/// of the whole stands for the rest.
package struct OrderIdentity: Sendable, Hashable, CustomStringConvertible {
    package static let maximumBytes = 255

    package let text: String

    package init(_ text: String) {
        self.text = Self.shortened(text, to: Self.maximumBytes)
    }

    /// The identity of an order of our own: the number, and the origin of the count that it belongs to.
    package init(origin: String, orderID: Int64) {
        self.init("\(origin)-\(orderID)")
    }

    package var description: String { text }

    /// The `message_id` of an event of this order, always the same for the same event: `<identity>/payment`.
    package func messageID(of kind: EventKind) -> String {
        let suffix = "/\(kind.rawValue)"
        return Self.shortened(text, to: Self.maximumBytes - suffix.utf8.count) + suffix
    }

    private static func shortened(_ text: String, to limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        let digest = SipHash.hash128(key: (0x6f72_6465_7249_6465, 0x6e74_6974_7920_7631), text.utf8)
        let tail = "~" + digest.0.hexadecimal + digest.1.hexadecimal
        var kept = ""
        var room = limit - tail.utf8.count
        for scalar in text.unicodeScalars {
            room -= UTF8.width(scalar)
            if room < 0 { break }
            kept.unicodeScalars.append(scalar)
        }
        return kept + tail
    }
}

extension UInt64 {
    /// Sixteen hexadecimal digits.
    var hexadecimal: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}

extension Order {
    /// The order's identity: the message's `correlation_id`, else the number and the timestamp as written.
    package func identity(correlationID: String?) -> OrderIdentity {
        if let correlationID, !correlationID.isEmpty { return OrderIdentity(correlationID) }
        return OrderIdentity("\(orderID)@\(writtenTimestamp)")
    }
}

extension Payment {
    /// The order's identity: the message's `correlation_id`, else the transaction id; where a failed payment has none
    /// of these, the number and the timestamp as written.
    package func identity(correlationID: String?) -> OrderIdentity {
        if let correlationID, !correlationID.isEmpty { return OrderIdentity(correlationID) }
        if let transactionID, !transactionID.isEmpty { return OrderIdentity(transactionID) }
        return OrderIdentity("\(orderID)@\(writtenTimestamp)")
    }
}

extension Shipment {
    /// The order's identity: the message's `correlation_id`, else the tracking number; where that is empty, the number
    /// and the timestamp as written.
    package func identity(correlationID: String?) -> OrderIdentity {
        if let correlationID, !correlationID.isEmpty { return OrderIdentity(correlationID) }
        if !trackingNumber.isEmpty { return OrderIdentity(trackingNumber) }
        return OrderIdentity("\(orderID)@\(writtenTimestamp)")
    }
}
