import ActorBus
import Foundation
import Testing

/// An order, payment or shipment as it went over the broker, read with the tests' own eyes.
struct OrderMessage: Decodable, Sendable {
    struct Item: Decodable, Sendable, Equatable {
        let product_id: Int64
        let name: String
        let price: Decimal
        let quantity: Int64
    }
    let order_id: Int64
    let customer_email: String
    let items: [Item]
    let total_amount: Decimal
    let currency: String
    let timestamp: String
    let status: String
}

struct PaymentMessage: Decodable, Sendable, Hashable {
    let order_id: Int64
    let customer_email: String
    let amount: Decimal
    let currency: String
    let status: String
    let payment_method: String?
    let transaction_id: String?
    let failure_reason: String?
    let processing_time: Decimal
    let timestamp: String
}

struct ShipmentMessage: Decodable, Sendable, Hashable {
    let order_id: Int64
    let customer_email: String
    let tracking_number: String
    let carrier: String
    let estimated_delivery: String
    let status: String
    let timestamp: String
}

/// Sees everything that goes through the three exchanges, by queues of its own, and never what a service says of itself.
final class Witness: Sendable {
    struct Seen: Sendable {
        let message: Message
        let redelivered: Bool
    }

    /// What stands in the evidence, by order number.
    struct Evidence: Sendable {
        var orders: [Int64: [(OrderMessage, Seen)]] = [:]
        var payments: [Int64: [(PaymentMessage, Seen)]] = [:]
        var shipments: [Int64: [(ShipmentMessage, Seen)]] = [:]
        /// Why something could not be read.
        var faults: [String] = []

        func isSettled(_ count: Int) -> Bool {
            orders.count >= count && orders.keys.allSatisfy { number in
                guard let payment = payments[number]?.first?.0 else { return false }
                return payment.status != "success" || shipments[number] != nil
            }
        }

        var summary: String {
            "\(orders.count) orders, \(payments.count) payments, \(shipments.count) shipments, \(faults.count) faults"
        }
    }

    private let evidence = Lock(Evidence())
    private let changes = Lock<[Int: AsyncStream<Void>.Continuation]>([:])

    /// Runs `body` while every message of the three exchanges is taken down.
    ///
    /// - Parameter kind: how the queues are kept; quorum where a node of a cluster may go.
    static func watching<Value: Sendable>(
        _ host: VirtualHost, _ kind: ActorBus.Queue.Kind = .classic, _ body: (Witness) async throws -> Value
    ) async throws -> Value {
        let witness = Witness()
        let topology = Topology(
            exchanges: Contract.exchanges.map { Exchange($0, .fanout) },
            queues: Contract.exchanges.map { Queue("tap.\($0)", kind).bound(to: $0) })
        return try await host.withConnection(topology) { connection in
            let watching = Contract.exchanges.map { exchange in
                Task {
                    for try await delivery in connection.deliveries(from: "tap.\(exchange)", prefetch: 500) {
                        witness.note(delivery, of: exchange)
                        delivery.acknowledge()
                    }
                }
            }
            defer { for task in watching { task.cancel() } }
            return try await body(witness)
        }
    }

    var now: Evidence { evidence.withLock { $0 } }

    /// Waits until the evidence is so.
    @discardableResult
    func sees(
        _ what: String, within limit: Duration = .seconds(60), _ isSo: @escaping @Sendable (Evidence) -> Bool
    ) async throws -> Evidence {
        let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let number = changes.withLock { changes in
            let number = (changes.keys.max() ?? 0) + 1
            changes[number] = continuation
            return number
        }
        defer { changes.withLock { _ = $0.removeValue(forKey: number) } }
        continuation.yield()
        return try await within(limit, "\(what), but \(self.now.summary)") { [self] in
            for await _ in stream {
                let now = now
                if isSo(now) { return now }
            }
            throw CancellationError()
        }
    }

    /// Waits until so many orders were seen, and the payment and shipment of each.
    @discardableResult
    func seesSettled(_ count: Int, within limit: Duration = .seconds(60)) async throws -> Evidence {
        try await sees("\(count) settled orders", within: limit) { $0.isSettled(count) }
    }

    private func note(_ delivery: Delivery, of exchange: String) {
        let seen = Seen(message: delivery.message, redelivered: delivery.redelivered)
        let data = Data(delivery.body)
        evidence.withLock { evidence in
            do {
                let decoder = JSONDecoder()
                switch exchange {
                case "orders":
                    let order = try decoder.decode(OrderMessage.self, from: data)
                    evidence.orders[order.order_id, default: []].append((order, seen))
                case "payments":
                    let payment = try decoder.decode(PaymentMessage.self, from: data)
                    evidence.payments[payment.order_id, default: []].append((payment, seen))
                default:
                    let shipment = try decoder.decode(ShipmentMessage.self, from: data)
                    evidence.shipments[shipment.order_id, default: []].append((shipment, seen))
                }
            } catch {
                evidence.faults.append("\(exchange): \(String(decoding: delivery.body, as: UTF8.self)): \(error)")
            }
        }
        for continuation in changes.withLock({ Array($0.values) }) { continuation.yield() }
    }
}

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
                seen.map { [$0.0.status, "\($0.0.amount)", $0.0.currency, $0.0.payment_method, $0.0.transaction_id,
                    $0.0.failure_reason] })
            #expect(charges.count == 1, "order \(number) has several payments: \(charges)", sourceLocation: sourceLocation)
            #expect(payment.amount == order.total_amount, sourceLocation: sourceLocation)
            #expect(payment.customer_email == order.customer_email, sourceLocation: sourceLocation)
            #expect((payment.failure_reason == nil) == (payment.status == "success"), sourceLocation: sourceLocation)
            if let transaction = payment.transaction_id {
                let other = transactions.updateValue(number, forKey: transaction)
                #expect(other == nil, "\(transaction) is of two orders", sourceLocation: sourceLocation)
            }
        }
        let paid = Set(payments.filter { $0.value.first?.0.status == "success" }.keys)
        #expect(Set(shipments.keys) == paid, sourceLocation: sourceLocation)
        for (number, seen) in shipments {
            let parcels = Set(seen.map { [$0.0.tracking_number, $0.0.carrier] })
            #expect(parcels.count == 1, "order \(number) has several shipments: \(parcels)", sourceLocation: sourceLocation)
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
