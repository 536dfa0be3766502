import Testing

@testable import Pipeline

@Suite("Order identity")
struct OrderIdentityTests {
    @Test("is derived from a message that does not state it")
    func derived() throws {
        let order = try Order(
            json: SampleMessages.changed(SampleMessages.order, "timestamp", to: "\"2026-01-07T11:30:00.50+01:00\""))
        #expect(order.derivedIdentity.text == "42@2026-01-07T11:30:00.50+01:00")
        let payment = try Payment(json: Array(SampleMessages.payment.utf8))
        #expect(payment.derivedIdentity.text == "TXN-42-1736244600")
        let shipment = try Shipment(json: Array(SampleMessages.shipment.utf8))
        #expect(shipment.derivedIdentity.text == "TRACK-42-1736244605")
    }

    @Test("of a failed payment without a transaction is made of number and time", arguments: ["null", "\"\""])
    func withoutTransaction(transactionID: String) throws {
        let failed = SampleMessages.payment.replacing("\"success\"", with: "\"failed\"")
        let payment = try Payment(json: SampleMessages.changed(failed, "transaction_id", to: transactionID))
        #expect(payment.derivedIdentity.text == "42@2026-01-07T10:30:02Z")
        let shipment = try Shipment(
            json: SampleMessages.changed(SampleMessages.shipment, "tracking_number", to: "\"\""))
        #expect(shipment.derivedIdentity.text == "42@2026-01-07T10:30:05Z")
    }

    @Test("is compared byte for byte")
    func bytes() {
        let (composed, decomposed) = (OrderIdentity("caf\u{E9}"), OrderIdentity("cafe\u{301}"))
        #expect(composed.text == decomposed.text)
        #expect(composed != decomposed && Set([composed, decomposed, OrderIdentity("caf\u{E9}")]).count == 2)
    }

    @Test("names each kind of event")
    func messageIDs() {
        let identity = OrderIdentity(origin: "0123456789abcdef", orderID: 42)
        #expect(identity.text == "0123456789abcdef-42")
        #expect(identity.messageID(of: .order) == "0123456789abcdef-42/order")
        #expect(identity.messageID(of: .payment) == "0123456789abcdef-42/payment")
        #expect(identity.messageID(of: .shipment) == "0123456789abcdef-42/shipment")
    }

    @Test("is kept up to 255 bytes, and shortened to them from there on")
    func length() {
        let longest = String(repeating: "a", count: 255)
        #expect(OrderIdentity(longest).text == longest)
        let first = OrderIdentity(longest + "b")
        let second = OrderIdentity(longest + "c")
        #expect(first.text.utf8.count == 255)
        #expect(first.text.hasPrefix(String(repeating: "a", count: 222) + "~"))
        #expect(first != second)
        #expect(first == OrderIdentity(longest + "b"))
        #expect(OrderIdentity(first.text) == first)
    }

    @Test("message ids stay within 255 bytes, and apart", arguments: ["a", "é", "€", "😀"])
    func messageIDLength(piece: String) {
        let base = String(repeating: piece, count: 255 / piece.utf8.count)
        let identities = (0..<50).map { OrderIdentity(base.dropLast(1) + "\($0)") }
        var seen: Set<String> = []
        for identity in identities {
            #expect(identity.text.utf8.count <= 255)
            for kind in EventKind.allCases {
                let messageID = identity.messageID(of: kind)
                #expect(messageID.utf8.count <= 255)
                #expect(messageID.hasSuffix("/\(kind.rawValue)"))
                #expect(seen.insert(messageID).inserted)
            }
        }
    }
}
