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

    /// However many orders there are, no more than the bound and one group are in memory, and every one is counted.
    @Test func `a run of any size adds up within its bound`() async {
        let (bound, group, total) = (50, 16, 20_000)
        let book = RunBook(mostOpen: bound)
        let (placed, place) = AsyncStream<OrderIdentity>.makeStream()
        let most = Task {
            var most = 0
            for number in 0..<total {
                if number % group == 0 { await book.waitForRoom() }
                let identity = OrderIdentity("order \(number)")
                book.note(.placing(identity))
                most = max(most, book.totals.open.magnitude > 0 ? Int(book.totals.open) : 0)
                place.yield(identity)
            }
            place.finish()
            return most
        }
        for await identity in placed { Self.settle(identity, in: book) }
        #expect(await most.value <= bound + group)
        await book.waitUntilSettled()
        let tally = book.now
        #expect(tally.own.orders == total && tally.settled == total && tally.others == OrderCounts())
        #expect(tally.givenUp == 0 && tally.open == 0)
    }

    @Test func `orders that are given up make room`() async {
        let book = RunBook(mostOpen: 2)
        for number in 1...2 {
            let identity = OrderIdentity("order \(number)")
            book.note(.placing(identity))
            book.note(.ordered(Self.order, identity))
        }
        #expect(book.isFull)
        let waiting = Task { await book.waitForRoom() }
        let settled = Task { await book.waitUntilSettled() }
        #expect(book.giveUpConfirmed() == 2)
        await waiting.value
        await settled.value
        #expect(!book.isFull && book.now.givenUp == 2)
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
