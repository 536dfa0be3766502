import ActorBus
import Foundation

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
            orders.count >= count
                && orders.keys.allSatisfy { number in
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

    /// Waits until everything that was ordered is settled, when no more orders come.
    @discardableResult
    func settlesDown(within limit: Duration = .seconds(60)) async throws -> Evidence {
        try await sees("all of it settled", within: limit) { $0.isSettled($0.orders.count) }
    }

    private func note(_ delivery: Delivery, of exchange: String) {
        let seen = Seen(message: delivery.message, redelivered: delivery.redelivered)
        let data = Data(delivery.body)
        evidence.withLock { evidence in
            do {
                let decoder = JSONDecoder.ofSnakes
                switch exchange {
                case "orders":
                    let order = try decoder.decode(OrderMessage.self, from: data)
                    evidence.orders[order.orderId, default: []].append((order, seen))
                case "payments":
                    let payment = try decoder.decode(PaymentMessage.self, from: data)
                    evidence.payments[payment.orderId, default: []].append((payment, seen))
                default:
                    let shipment = try decoder.decode(ShipmentMessage.self, from: data)
                    evidence.shipments[shipment.orderId, default: []].append((shipment, seen))
                }
            } catch {
                evidence.faults.append("\(exchange): \(String(decoding: delivery.body, as: UTF8.self)): \(error)")
            }
        }
        for continuation in changes.withLock({ Array($0.values) }) { continuation.yield() }
    }
}
