import Pipeline
import Testing

@Suite(.timeLimit(.minutes(1))) struct RunBookTests {
    private static let order = Order(
        orderID: 1, customerEmail: "a@example.com", items: [], totalAmount: .zero, currency: "EUR",
        timestamp: Timestamp(clampingSeconds: 1_767_781_800))

    /// The shortest way for an order to be settled.
    private static func settle(_ identity: OrderIdentity, in book: RunBook) {
        book.note(.ordered(order, identity))
        book.note(.deadLettered(.payment, identity, reason: "x"))
        book.note(.notified(Notification(of: order), identity))
    }

    @Test func `waits until every order is settled`() async {
        let book = RunBook(mostOpen: 100)
        let identities = (1...20).map { OrderIdentity("order \($0)") }
        for identity in identities { book.note(.placing(identity)) }
        async let settled: Void = book.waitUntilSettled()
        for identity in identities { Self.settle(identity, in: book) }
        await settled
        #expect(book.now.open == 0)
        await book.waitUntilSettled()
    }

    @Test func `holds back while too many orders are open`() async {
        let book = RunBook(mostOpen: 2)
        await book.waitForRoom()
        book.note(.placing(OrderIdentity("one")))
        await book.waitForRoom()
        book.note(.placing(OrderIdentity("two")))
        let waiting = Task {
            await book.waitForRoom()
            return book.now.open
        }
        book.note(.placing(OrderIdentity("three")))
        Self.settle(OrderIdentity("one"), in: book)
        Self.settle(OrderIdentity("two"), in: book)
        #expect(await waiting.value < 2)
    }

    @Test func `a cancelled wait ends`() async {
        let book = RunBook(mostOpen: 1)
        book.note(.placing(OrderIdentity("one")))
        let room = Task { await book.waitForRoom() }
        let settled = Task { await book.waitUntilSettled() }
        room.cancel()
        settled.cancel()
        await room.value
        await settled.value
        #expect(book.now.open == 1)
    }
}
