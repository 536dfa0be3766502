import Testing

@testable import Pipeline

@Suite struct OrderBoardTests {
    private func board(_ events: [(OrderEvent, Int64)]) -> OrderBoard {
        var board = OrderBoard()
        for (event, time) in events { board.note(event, at: .after(time)) }
        return board
    }

    @Test func `an order has its timeline from its placing on`() throws {
        let story = OrderStory(42)
        let board = board([
            (story.placing, 100), (story.noticed[0], 102), (story.ordered, 103), (story.paid, 1300),
            (story.noticed[1], 1302), (story.shipped, 3500), (story.noticed[2], 3502), (.redelivered(.payment), 3600),
        ])
        #expect(board.orders.count == 1)
        let order = try #require(board.orders.first)
        #expect(order.number == 42 && order.customer == "alice@example.com" && order.total == "€1299.99")
        #expect(order.items == 1)
        #expect(order.beginning == RecentOrder.Beginning(time: .after(100), isRough: false))
        #expect(order.ordered == .after(103))
        #expect(
            order.payment == RecentOrder.Payment(time: .after(1300), declined: nil, method: "credit card"))
        #expect(
            order.shipment
                == RecentOrder.Shipment(
                    time: .after(3500), carrier: "DHL", trackingNumber: "TRACK-42-1767781800"))
        #expect(order.orderNotice == .after(102) && order.paymentNotice == .after(1302))
        #expect(order.shipmentNotice == .after(3502))
        #expect(board.letters.isEmpty && board.reasons.allSatisfy { $0.count == 0 })
    }

    @Test func `an order that is being sent has its number already`() {
        let order = board([(OrderStory(7).placing, 0)]).orders.first
        #expect(order?.number == 7 && order?.ordered == nil && order?.waits == true)
    }

    @Test func `of an order that is not of this run the second is known that its numbers tell`() {
        let story = OrderStory(5, origin: "earlier")
        for event in [story.paid, story.shipped] {
            let order = board([(event, 65_000)]).orders.first
            #expect(order?.number == 5)
            #expect(order?.beginning == RecentOrder.Beginning(time: .after(0), isRough: true))
        }
        // A notice tells no time, and a second that lies ahead is none of an order that was made.
        #expect(board([(story.noticed[0], 10)]).orders.first?.beginning == nil)
        #expect(board([(story.paid, -5000)]).orders.first?.beginning == nil)
    }

    @Test func `the moment of placing stands against the second`() {
        let story = OrderStory(1)
        let order = board([(story.placing, 250), (story.paid, 900), (story.ordered, 950)]).orders.first
        #expect(order?.beginning == RecentOrder.Beginning(time: .after(250), isRough: false))
    }

    @Test func `the youngest order stands first, and the same orders stand alike`() {
        var board = OrderBoard()
        for number in [3, 1, 2, 5, 4] as [Int64] {
            board.note(OrderStory(number).placing, at: .after(number == 3 ? 10 : 0))
        }
        #expect(board.orders.map(\.number) == [3, 5, 4, 2, 1])
    }

    @Test func `a flood of waiting orders leaves those that move`() {
        var board = OrderBoard()
        for number in 1...20 as ClosedRange<Int64> {
            let story = OrderStory(number)
            for event in [story.placing, story.ordered, story.paid] { board.note(event, at: .after(number)) }
        }
        for number in 21...10_000 as ClosedRange<Int64> { board.note(OrderStory(number).placing, at: .after(number)) }
        let numbers = board.orders.compactMap(\.number)
        #expect(numbers == Array((9_989...10_000).reversed()) + Array((1...20).reversed()))
    }

    @Test func `an order keeps its beginning through a flood of others`() {
        var board = OrderBoard()
        for number in 1...1000 as ClosedRange<Int64> { board.note(OrderStory(number).placing, at: .after(number)) }
        for number in 1...1000 as ClosedRange<Int64> { board.note(OrderStory(number).paid, at: .after(5000)) }
        board.note(OrderStory(1).shipped, at: .after(9000))
        let order = board.orders.first { $0.number == 1 }
        #expect(order?.beginning == RecentOrder.Beginning(time: .after(1), isRough: false))
        #expect(order?.payment?.time == .after(5000) && board.orders.count == OrderBoard.mostMoving)
    }

    @Test func `of those that move the ones left alone for longest go first`() {
        var board = OrderBoard()
        for number in 1...Int64(OrderBoard.mostMoving) {
            board.note(OrderStory(number).placing, at: .after(number))
            board.note(OrderStory(number).paid, at: .after(number))
        }
        board.note(OrderStory(1).shipped, at: .after(100))
        board.note(OrderStory(100).paid, at: .after(101))
        #expect(board.orders.count == OrderBoard.mostMoving)
        #expect(board.orders.contains { $0.number == 1 } && !board.orders.contains { $0.number == 2 })
    }

    @Test func `is never larger than it may be`() {
        var board = OrderBoard()
        for number in 1...5_000 as ClosedRange<Int64> {
            let story = OrderStory(number, origin: "o\(number % 7)")
            let reason = FailureReason(rawValue: "reason \(number)")
            let events =
                [story.placing, story.ordered, number.isMultiple(of: 3) ? story.declined(reason) : story.paid]
                + story.noticed + [.deadLettered(.fulfillment, story.identity, reason: "\(number)")]
            for event in events.shuffled() { board.note(event, at: .after(number)) }
            #expect(board.kept <= 2 * OrderBoard.mostKept)
        }
        #expect(board.orders.count == OrderBoard.mostMoving)
        #expect(board.letters.count == OrderBoard.mostLetters)
        #expect(board.reasons.count == 4 + OrderBoard.mostOtherReasons + 1)
    }

    @Test func `declined payments are counted by reason, the known ones first`() {
        var board = OrderBoard()
        board.note(OrderStory(1).declined(.cardExpired), at: .after(0))
        board.note(OrderStory(2).declined(.cardExpired), at: .after(0))
        board.note(OrderStory(3).paid, at: .after(0))
        board.note(OrderStory(4).declined(FailureReason(rawValue: "Lost\u{1b}[2J")), at: .after(0))
        #expect(
            board.reasons.map(\.name) == FailureReason.known.map(\.rawValue) + ["Lost\\u{1b}[2J"])
        #expect(board.reasons.map(\.count) == [0, 2, 0, 0, 1])
        #expect(board.orders.first { $0.number == 4 }?.payment?.declined == "Lost\\u{1b}[2J")
    }

    @Test func `reasons that have no place of their own share one`() {
        var board = OrderBoard()
        for number in 1...20 as ClosedRange<Int64> {
            board.note(OrderStory(number).declined(FailureReason(rawValue: "reason \(number)")), at: .after(0))
        }
        board.note(OrderStory(21).declined(FailureReason(rawValue: "reason 1")), at: .after(0))
        #expect(board.reasons.last == OrderBoard.Reason(name: "other reasons", count: 12))
        #expect(board.reasons.first { $0.name == "reason 1" }?.count == 2)
        #expect(board.reasons.reduce(0) { $0 + $1.count } == 21)
    }

    @Test func `dead letters are told with the order that they are of`() {
        let story = OrderStory(9)
        let board = board([
            (story.placing, 0),
            (.deadLettered(.payment, story.identity, reason: "too\nlong"), 5),
            (.deadLettered(.orderNotices, OrderIdentity("stranger"), reason: "no JSON"), 6),
            (.deadLettered(.orderNotices, nil, reason: "no JSON"), 7),
        ])
        #expect(board.letters.map(\.order) == [nil, "stranger", "#9"])
        #expect(board.letters.map(\.queue) == [.orderNotices, .orderNotices, .payment])
        #expect(board.letters.last?.reason == "too\\u{a}long" && board.letters.last?.time == .after(5))
        // A stranger's letter makes no order.
        #expect(board.orders.count == 1 && board.orders.first?.putAside == .payment)
        #expect(board.orders.first?.waits == false)
    }

    @Test func `what strangers wrote is cut and made fit to be shown`() {
        let long = String(repeating: "x", count: 5_000) + "\u{202e}"
        let board = board([
            (OrderStory(1, customer: long, currency: long).ordered, 0),
            (.deadLettered(.payment, OrderIdentity(long), reason: long), 0),
        ])
        #expect((board.orders.first?.customer?.count ?? 0) <= 81)
        #expect((board.orders.first?.total?.count ?? 0) <= 25)
        #expect((board.letters.first?.reason.count ?? 0) <= 201 && (board.letters.first?.order?.count ?? 0) <= 61)
    }
}
