/// The numbers of our transactions and shipments, made of the order alone, so that a repeated message repeats them.
package enum TransactionID {
    /// `TXN-<order_id>-<unix seconds of the order's timestamp>`
    package static func text(of order: Order) -> String {
        "TXN-\(order.orderID)-\(order.timestamp.seconds)"
    }

    /// The seconds at the end of a transaction id of this order, nil where it has another form.
    static func seconds(in transactionID: String?, orderID: Int64) -> Int64? {
        secondsAtEnd(of: transactionID, after: "TXN-\(orderID)-")
    }
}

/// The tracking numbers of our shipments.
package enum TrackingNumber {
    /// `TRACK-<order_id>-<the seconds of the transaction id, else those of the payment's timestamp>`
    package static func text(of payment: Payment) -> String {
        let seconds = TransactionID.seconds(in: payment.transactionID, orderID: payment.orderID)
        return "TRACK-\(payment.orderID)-\(seconds ?? payment.timestamp.seconds)"
    }

    /// The seconds at the end of a tracking number of this order, nil where it has another form.
    static func seconds(in trackingNumber: String, orderID: Int64) -> Int64? {
        secondsAtEnd(of: trackingNumber, after: "TRACK-\(orderID)-")
    }
}

private func secondsAtEnd(of text: String?, after prefix: String) -> Int64? {
    guard let text, text.utf8.starts(with: prefix.utf8) else { return nil }
    let tail = text.utf8.dropFirst(prefix.utf8.count)
    // Int64 reads a leading plus, which no number of ours has.
    guard tail.first != UInt8(ascii: "+") else { return nil }
    return Int64(Substring(tail))
}
