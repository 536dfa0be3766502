import Foundation

/// An order, payment or shipment as it went over the broker, read with the tests' own eyes.
struct OrderMessage: Decodable, Sendable {
    struct Item: Decodable, Sendable, Equatable {
        let productId: Int64
        let name: String
        let price: Decimal
        let quantity: Int64
    }
    let orderId: Int64
    let customerEmail: String
    let items: [Item]
    let totalAmount: Decimal
    let currency: String
    let timestamp: String
    let status: String
}

struct PaymentMessage: Decodable, Sendable, Hashable {
    let orderId: Int64
    let customerEmail: String
    let amount: Decimal
    let currency: String
    let status: String
    let paymentMethod: String?
    let transactionId: String?
    let failureReason: String?
    let processingTime: Decimal
    let timestamp: String
}

struct ShipmentMessage: Decodable, Sendable, Hashable {
    let orderId: Int64
    let customerEmail: String
    let trackingNumber: String
    let carrier: String
    let estimatedDelivery: String
    let status: String
    let timestamp: String
}

extension JSONDecoder {
    /// Reads the keys of the messages and of the result, which are in snake_case.
    static var ofSnakes: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return decoder
    }
}
