/// What a customer ordered; the message on the `orders` exchange.
package struct Order: Sendable, Equatable {
    package struct Item: Sendable, Equatable {
        package let productID: Int64
        package let name: String
        package let price: Money
        /// Never below zero.
        package let quantity: Int64

        package init(productID: Int64, name: String, price: Money, quantity: Int64) {
            self.productID = productID
            self.name = name
            self.price = price
            self.quantity = quantity
        }
    }

    package let orderID: Int64
    package let customerEmail: String
    package let items: [Item]
    package let totalAmount: Money
    package let currency: String
    package let timestamp: Timestamp
    /// The timestamp's text in the message, which the identity of a stranger's order is made of.
    package let writtenTimestamp: String

    package init(
        orderID: Int64, customerEmail: String, items: [Item], totalAmount: Money, currency: String, timestamp: Timestamp
    ) {
        self.orderID = orderID
        self.customerEmail = customerEmail
        self.items = items
        self.totalAmount = totalAmount
        self.currency = currency
        self.timestamp = timestamp
        writtenTimestamp = timestamp.text
    }

    /// Reads a message body. Throws where a field is missing, of the wrong type or out of range; further fields are ignored.
    package init(json body: [UInt8]) throws(MalformedMessage) {
        let fields = try MessageFields(message: body)
        orderID = try fields.whole("order_id")
        customerEmail = try fields.address("customer_email")
        items = try fields.items { item throws(MalformedMessage) in try Item(item) }
        totalAmount = try fields.money("total_amount")
        currency = try fields.currency("currency")
        (timestamp, writtenTimestamp) = try fields.time("timestamp")
        _ = try fields.status(oneOf: "pending")
    }

    /// The message body.
    package func encoded() -> [UInt8] {
        var json = JSONWriter(capacity: 256 + 96 * items.count)
        json.beginObject()
        json.name("order_id")
        json.whole(orderID)
        json.name("customer_email")
        json.string(customerEmail)
        json.name("items")
        json.beginArray()
        for item in items { item.encode(into: &json) }
        json.endArray()
        json.name("total_amount")
        json.hundredths(totalAmount.cents)
        json.name("currency")
        json.string(currency)
        json.name("timestamp")
        json.string(timestamp.text)
        json.name("status")
        json.string("pending")
        json.endObject()
        return json.bytes
    }
}

extension Order.Item {
    fileprivate init(_ fields: MessageFields) throws(MalformedMessage) {
        productID = try fields.whole("product_id")
        name = try fields.string("name")
        price = try fields.money("price")
        quantity = try fields.count("quantity")
    }

    fileprivate func encode(into json: inout JSONWriter) {
        json.beginObject()
        json.name("product_id")
        json.whole(productID)
        json.name("name")
        json.string(name)
        json.name("price")
        json.hundredths(price.cents)
        json.name("quantity")
        json.whole(quantity)
        json.endObject()
    }
}
