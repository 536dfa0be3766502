/// What an order is for: who buys, and what.
package struct OrderContents: Sendable, Equatable {
    package let customerEmail: String
    package let items: [Order.Item]
    package let totalAmount: Money

    /// Contents that depend on the seed and the order's number only.
    package init(seed: UInt64, orderID: Int64) {
        let number = UInt64(bitPattern: orderID)
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
        var generator = SplitMix64(seed: SipHash.hash64(key: (seed, 0x636f_6e74_656e_7473), bytes))
        self.init(using: &generator)
    }

    /// Contents drawn at random: 1 to 4 different products, 1 to 3 pieces of each.
    package init(using generator: inout some RandomNumberGenerator) {
        func draw(_ count: Int) -> Int { Int(Fraction(bits: generator.next()).index(below: UInt64(count))) }
        customerEmail = Catalogue.customers[draw(Catalogue.customers.count)]
        var products = Catalogue.products
        var items: [Order.Item] = []
        var total = Money.zero
        for _ in 0...draw(4) {
            let product = products.remove(at: draw(products.count))
            let quantity = Int64(1 + draw(3))
            // An item that no amount holds is left out; the catalogue has none, as its test says.
            guard let price = Money(cents: product.cents), let sum = price.times(quantity)?.adding(total) else {
                continue
            }
            total = sum
            items.append(
                Order.Item(productID: product.productID, name: product.name, price: price, quantity: quantity))
        }
        self.items = items
        totalAmount = total
    }

    /// The order for these contents.
    package func order(_ orderID: Int64, at timestamp: Timestamp) -> Order {
        Order(
            orderID: orderID, customerEmail: customerEmail, items: items, totalAmount: totalAmount,
            currency: Catalogue.currency, timestamp: timestamp)
    }
}
