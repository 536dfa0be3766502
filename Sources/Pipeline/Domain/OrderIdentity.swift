/// What tells one order from every other, wherever its events travel; the `correlation_id` of our own messages.
///
/// Never longer than the 255 bytes that AMQP allows a short string: a longer text keeps its beginning, followed by a
/// digest of the whole. Compared byte for byte, as strangers may tell orders apart by what Unicode takes for equal.
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

    package static func == (left: OrderIdentity, right: OrderIdentity) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    package func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
    }

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

// The identity of an order whose message does not state one; what strangers write is all there is to tell it by.

extension Order {
    /// The number and the timestamp as written.
    package var derivedIdentity: OrderIdentity { OrderIdentity("\(orderID)@\(writtenTimestamp)") }
}

extension Payment {
    /// The transaction id; where a failed payment has none, the number and the timestamp as written.
    package var derivedIdentity: OrderIdentity {
        if let transactionID, !transactionID.isEmpty { return OrderIdentity(transactionID) }
        return OrderIdentity("\(orderID)@\(writtenTimestamp)")
    }
}

extension Shipment {
    /// The tracking number; where that is empty, the number and the timestamp as written.
    package var derivedIdentity: OrderIdentity {
        if !trackingNumber.isEmpty { return OrderIdentity(trackingNumber) }
        return OrderIdentity("\(orderID)@\(writtenTimestamp)")
    }
}
