import ActorBus
import Pipeline

/// Whom the services call: a gateway, a carrier, and whoever sends notices. They are outside of every process and keep what
/// they were asked, so they remember what a killed process has done.
final class Partners: @unchecked Sendable {
    // Unchecked: a simulation has one thread.

    /// What was answered to each key; more than one answer where that was not always the same.
    private(set) var charges: [String: Set<String>] = [:]
    private(set) var bookings: [String: Set<String>] = [:]
    private(set) var notices: [String: Set<String>] = [:]
    /// How often they were asked for what they had done already.
    private(set) var repetitions = 0

    private func note(_ answer: String, _ key: String, in book: inout [String: Set<String>]) {
        if book[key] != nil { repetitions += 1 }
        book[key, default: []].insert(answer)
    }

    struct Gateway: PaymentGateway {
        let partners: Partners
        let gateway: any PaymentGateway

        func charge(_ order: Order, identity: OrderIdentity) async throws -> ChargeAnswer {
            let answer = try await gateway.charge(order, identity: identity)
            partners.note(
                "\(answer.outcome) \(answer.method) \(order.totalAmount.text)", identity.text, in: &partners.charges)
            return answer
        }
    }

    struct Warehouse: Carrier {
        let partners: Partners
        let carrier: any Carrier

        func book(_ payment: Payment, identity: OrderIdentity) async throws -> Booking {
            let booking = try await carrier.book(payment, identity: identity)
            partners.note("\(booking)", identity.text, in: &partners.bookings)
            return booking
        }
    }

    struct Mail: Notifier {
        let partners: Partners

        func send(_ notification: Notification, idempotencyKey: String) async throws {
            partners.note(notification.text, idempotencyKey, in: &partners.notices)
        }
    }
}
