import Testing

@testable import Pipeline

@Suite("Order contents")
struct OrderContentsTests {
    private func check(_ contents: OrderContents) {
        #expect(Catalogue.customers.contains(contents.customerEmail))
        #expect((1...4).contains(contents.items.count))
        #expect(Set(contents.items.map(\.productID)).count == contents.items.count)
        var cents: Int64 = 0
        for item in contents.items {
            let product = Catalogue.products.first { $0.productID == item.productID }
            #expect(product?.name == item.name)
            #expect(product?.cents == item.price.cents)
            #expect((1...3).contains(item.quantity))
            cents += item.price.cents * item.quantity
        }
        #expect(contents.totalAmount.cents == cents)
        #expect(cents > 0)
    }

    @Test("the catalogue has 8 products and 6 customers, and the dearest order stays under a million")
    func catalogue() {
        #expect(Catalogue.products.count == 8)
        #expect(Set(Catalogue.products.map(\.productID)).count == 8)
        #expect(Catalogue.products.first?.name == "Laptop Pro 15")
        #expect(Catalogue.products.first?.cents == 129_999)
        for word in ["Laptop Pro", "Mouse", "Keyboard", "Monitor"] {
            #expect(Catalogue.products.contains { $0.name.contains(word) })
        }
        #expect(Catalogue.customers.count == 6)
        #expect(Catalogue.customers.first == "alice@example.com")
        #expect(Catalogue.products.allSatisfy { $0.cents > 0 })
        #expect(Catalogue.products.map { $0.cents * 3 }.reduce(0, +) <= Money.maximum.cents)
    }

    @Test("contents are of the catalogue, and their totals exact")
    func random() {
        var generator = SplitMix64(seed: 1)
        for _ in 0..<1000 { check(OrderContents(using: &generator)) }
        var system = SystemRandomNumberGenerator()
        check(OrderContents(using: &system))
    }

    @Test("with a seed they depend on seed and number only")
    func seeded() {
        var seen: [OrderContents] = []
        for orderID in Int64(1)...300 {
            let contents = OrderContents(seed: 7, orderID: orderID)
            check(contents)
            #expect(contents == OrderContents(seed: 7, orderID: orderID))
            if !seen.contains(contents) { seen.append(contents) }
        }
        #expect(seen.count > 250)
        #expect(Set(seen.map(\.customerEmail)).count == 6)
        #expect(Set(seen.flatMap { $0.items.map(\.productID) }).count == 8)
        let others = (1...300).count { OrderContents(seed: 8, orderID: $0) == OrderContents(seed: 7, orderID: $0) }
        #expect(others < 20)
    }

    @Test("never change for a seed")
    func pinned() {
        let order = OrderContents(seed: 7, orderID: 1).order(1, at: Timestamp(clamping: 1_767_781_800_000))
        let expected =
            #"{"order_id":1,"customer_email":"frank@example.com","items":[{"product_id":4,"name":"4K Monitor 27","#
            + #""price":399.99,"quantity":1}],"total_amount":399.99,"currency":"EUR","#
            + #""timestamp":"2026-01-07T10:30:00Z","status":"pending"}"#
        #expect(String(decoding: order.encoded(), as: UTF8.self) == expected)
    }
}
