import Foundation
import Testing

extension Witness.Evidence {
    /// What must hold however often messages were repeated: per order one distinct payment, which fits the order; one distinct
    /// shipment for a success, none for a failure; nothing without what it follows from.
    func expectConsistent(orders count: Int, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(faults.isEmpty, sourceLocation: sourceLocation)
        #expect(orders.count == count, sourceLocation: sourceLocation)
        #expect(Set(payments.keys) == Set(orders.keys), sourceLocation: sourceLocation)
        var transactions: [String: Int64] = [:]
        for (number, seen) in payments {
            guard let order = orders[number]?.first?.0, let payment = seen.first?.0 else { continue }
            let charges = Set(
                seen.map {
                    [
                        $0.0.status, "\($0.0.amount)", $0.0.currency, $0.0.paymentMethod, $0.0.transactionId,
                        $0.0.failureReason,
                    ]
                })
            #expect(
                charges.count == 1, "order \(number) has several payments: \(charges)", sourceLocation: sourceLocation)
            #expect(payment.amount == order.totalAmount, sourceLocation: sourceLocation)
            #expect(payment.customerEmail == order.customerEmail, sourceLocation: sourceLocation)
            #expect((payment.failureReason == nil) == (payment.status == "success"), sourceLocation: sourceLocation)
            if let transaction = payment.transactionId {
                let other = transactions.updateValue(number, forKey: transaction)
                #expect(other == nil, "\(transaction) is of two orders", sourceLocation: sourceLocation)
            }
        }
        let paid = Set(payments.filter { $0.value.first?.0.status == "success" }.keys)
        #expect(Set(shipments.keys) == paid, sourceLocation: sourceLocation)
        for (number, seen) in shipments {
            let parcels = Set(seen.map { [$0.0.trackingNumber, $0.0.carrier] })
            #expect(
                parcels.count == 1, "order \(number) has several shipments: \(parcels)", sourceLocation: sourceLocation)
        }
    }

    /// How many messages came more than once beyond what the broker itself repeated to the witness.
    var duplicates: Int {
        func count<Event>(_ seen: [Int64: [(Event, Witness.Seen)]]) -> Int {
            seen.values.reduce(0) { $0 + max(0, $1.filter { !$0.1.redelivered }.count - 1) }
        }
        return count(orders) + count(payments) + count(shipments)
    }
}
