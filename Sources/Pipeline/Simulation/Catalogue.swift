/// The shop: what it sells, to whom, and in which currency.
package enum Catalogue {
    package struct Product: Sendable, Equatable {
        package let productID: Int64
        package let name: String
        package let cents: Int64
    }

    package static let currency = "EUR"

    /// Their order and number are part of what a seed gives: never change them.
    package static let products: [Product] = [
        Product(productID: 1, name: "Laptop Pro 15", cents: 129_999),
        Product(productID: 2, name: "Wireless Mouse", cents: 2999),
        Product(productID: 3, name: "Mechanical Keyboard", cents: 8999),
        Product(productID: 4, name: "4K Monitor 27", cents: 39_999),
        Product(productID: 5, name: "USB-C Hub", cents: 4999),
        Product(productID: 6, name: "Webcam HD", cents: 7999),
        Product(productID: 7, name: "Noise Cancelling Headphones", cents: 19_999),
        Product(productID: 8, name: "External SSD 1TB", cents: 10_990),
    ]

    /// As for the products.
    package static let customers = [
        "alice@example.com", "bob@example.com", "charlie@example.com", "diana@example.com", "eve@example.com",
        "frank@example.com",
    ]
}
