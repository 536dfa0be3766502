import Pipeline
import Testing

@Suite struct OrderTallyTests {
    private static let order = Order(
        orderID: 1, customerEmail: "a@example.com", items: [], totalAmount: .zero, currency: "EUR",
        timestamp: Timestamp(clampingSeconds: 1_767_781_800))
    private static let one = OrderIdentity("one")

    private static func payment(_ outcome: ChargeAnswer.Outcome) -> Payment {
        let answer = ChargeAnswer(outcome: outcome, method: .paypal, processingTime: ProcessingTime(hundredths: 1))
        return Payment(of: order, answer: answer, at: order.timestamp)
    }

    private static let shipment = Shipment(
        of: payment(.charged), booking: Booking(carrier: .dhl, deliveryDays: 2), at: order.timestamp)

    private static func events(_ identity: OrderIdentity, _ outcome: ChargeAnswer.Outcome) -> [OrderEvent] {
        let payment = payment(outcome)
        var events: [OrderEvent] = [
            .ordered(order, identity), .paid(payment, identity), .notified(Notification(of: order), identity),
            .notified(Notification(of: payment), identity),
        ]
        if payment.status == .success {
            events += [.shipped(shipment, identity), .notified(Notification(of: shipment), identity)]
        }
        return events
    }

    @Test(arguments: [ChargeAnswer.Outcome.charged, .declined(.fraudDetected)])
    func `an order is settled by its last event, in whatever order they come`(outcome: ChargeAnswer.Outcome) {
        let events = Self.events(Self.one, outcome)
        for start in events.indices {
            var tally = OrderTally()
            tally.note(.placing(Self.one))
            let rotated = events[start...] + events[..<start]
            for event in rotated.dropLast() {
                tally.note(event)
                #expect(tally.open == 1 && tally.settled == 0)
            }
            tally.note(rotated.last!)
            #expect(tally.open == 0 && tally.settled == 1)
        }
    }

    @Test func `counts what happened to the orders of the run and to others apart`() {
        var tally = OrderTally()
        tally.note(.placing(Self.one))
        for event in Self.events(Self.one, .charged) { tally.note(event) }
        for event in Self.events(OrderIdentity("earlier"), .declined(.cardExpired)) { tally.note(event) }
        tally.note(.redelivered(.payment))

        #expect(tally.own.orders == 1 && tally.own.paymentsSuccess == 1 && tally.own.paymentsFailed == 0)
        #expect(tally.own.shipments == 1 && tally.own.notifications == 3)
        #expect(tally.others.orders == 1 && tally.others.paymentsFailed == 1 && tally.others.notifications == 2)
        #expect(tally.others.paymentsSuccess == 0 && tally.others.shipments == 0)
        #expect(tally.redelivered == 1)
        #expect((tally.own + tally.others).notifications == 5)
    }

    /// Which of an order's events (in the order of `events(_:_:)`) never come when a message of a queue is put aside.
    private static let missing: [(queue: PipelineQueue, events: [Int])] = [
        (.payment, [1, 3, 4, 5]), (.fulfillment, [4, 5]), (.orderNotices, [2]), (.paymentNotices, [3]),
        (.shipmentNotices, [5]),
    ]

    @Test(arguments: missing)
    func `an order with a dead letter is followed until its other stages are done`(
        queue: PipelineQueue, missing: [Int]
    ) {
        let events = Self.events(Self.one, .charged)
        let coming =
            [.deadLettered(queue, Self.one, reason: "x")]
            + events.indices.filter { !missing.contains($0) }.map { events[$0] }
        for start in coming.indices {
            var tally = OrderTally()
            tally.note(.placing(Self.one))
            let rotated = coming[start...] + coming[..<start]
            for event in rotated.dropLast() {
                tally.note(event)
                #expect(tally.open == 1 && tally.settled == 0)
            }
            tally.note(rotated.last!)
            #expect(tally.open == 0 && tally.settled == 1 && tally.deadLettered == 1)
            #expect(tally.others == OrderCounts(), "everything is the order's own")
            #expect(tally.own.orders == 1 && tally.own.paymentsSuccess == (queue == .payment ? 0 : 1))
        }
    }

    @Test func `a stranger's dead letter settles nothing`() {
        var tally = OrderTally()
        tally.note(.placing(Self.one))
        tally.note(.deadLettered(.payment, OrderIdentity("other"), reason: "x"))
        tally.note(.deadLettered(.payment, nil, reason: "x"))
        for event in Self.events(Self.one, .charged).dropLast() { tally.note(event) }
        #expect(tally.open == 1 && tally.settled == 0 && tally.deadLettered == 2)
    }

    @Test func `an order counts as possibly lost only once it is confirmed`() {
        var tally = OrderTally()
        tally.note(.placing(Self.one))
        #expect(tally.openAndConfirmed == 0)
        tally.note(.ordered(Self.order, Self.one))
        #expect(tally.openAndConfirmed == 1)
    }

    @Test func `what is given up is told, and counts as others' from then on`() {
        var tally = OrderTally()
        let identities = (1...10).map { OrderIdentity("order \($0)") }
        for identity in identities { tally.note(.placing(identity)) }
        for identity in identities.prefix(6) { tally.note(.ordered(Self.order, identity)) }
        for event in Self.events(identities[0], .charged) { tally.note(event) }
        let events = tally.events
        #expect(tally.giveUpConfirmed() == 5)
        #expect(tally.givenUp == 5 && tally.settled == 1 && tally.events != events)
        #expect(tally.open == 4, "what is not confirmed is still to come")
        #expect(tally.openAndConfirmed == 0 && tally.giveUpConfirmed() == 0)
        let others = tally.others.paymentsSuccess
        for event in Self.events(identities[1], .charged) { tally.note(event) }
        #expect(tally.others.paymentsSuccess == others + 1 && tally.settled == 1)
        for event in Self.events(identities[9], .charged) { tally.note(event) }
        #expect(tally.settled == 2 && tally.open == 3)
    }
}
