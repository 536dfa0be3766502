import ActorBus
import ActorBusTesting
import Pipeline

/// What must hold in the end, whatever has happened. The witnesses are the tap queues at the broker, the outbox, the
/// dead-letter queues, what is left in queues, and what the partners were asked; never what a service counts.
extension Run {
    /// An event as a tap has it.
    private struct Tapped<Event: PipelineEvent> {
        let identity: String
        let event: Event
    }

    /// What an exchange got, less the poison; and that it says whose it is.
    private func tapped<Event: PipelineEvent>(_: Event.Type) -> [Tapped<Event>] {
        (broker.messages(in: Run.tap(Event.exchange)) ?? []).compactMap { message in
            if message.isPoison { return nil }
            guard let identity = message.properties.correlationID, let event = try? Event(json: message.body),
                message.properties.messageID == OrderIdentity(identity).messageID(of: Event.kind)
            else {
                find("\(Run.tap(Event.exchange)) has a message that nobody can have sent: \(message.properties)")
                return nil
            }
            return Tapped(identity: identity, event: event)
        }
    }

    /// What all messages of an identity agree in. Finds those that do not agree.
    private func distinct<Event: PipelineEvent>(
        _ tapped: [Tapped<Event>], by facts: (Event) -> String
    ) -> [String: Event] {
        var events: [String: Event] = [:]
        for one in tapped {
            guard let first = events[one.identity] else {
                events[one.identity] = one.event
                continue
            }
            noteDuplicates(1)
            if facts(first) != facts(one.event) {
                find("two \(Event.kind.rawValue)s of \(one.identity): \(facts(first)) and \(facts(one.event))")
            }
        }
        return events
    }

    func checkAll() {
        do {
            try checkConfirmedOrders()
            let outbox = try orders.contents()
            if !outbox.unconfirmed.isEmpty {
                find("\(outbox.unconfirmed.count) orders are not confirmed, and nothing hinders it")
            }
            written = outbox.written
            checkChain()
        } catch {
            find("the outbox cannot be read: \(error)")
        }
        checkDeadLetters()
        if broker.connections.count > 0 { find("\(broker.connections.count) connections are left at the broker") }
    }

    /// 1. Every order that the generator was confirmed is in the tap; what is there beside is in its outbox.
    func checkConfirmedOrders() throws {
        let outbox = try orders.contents()
        let tapped = Set(tapped(Order.self).map(\.event.orderID))
        for number in outbox.confirmed where !tapped.contains(number) {
            find("order \(number) was confirmed and is lost")
        }
        for number in tapped.sorted() where number < 1 || number > outbox.written {
            find("order \(number) was published and is not written down")
        }
    }

    private func checkChain() {
        let ordered = distinct(tapped(Order.self)) { "\($0.orderID) \($0.totalAmount.text) \($0.writtenTimestamp)" }
        // 2. One distinct payment for an order.
        let paid = distinct(tapped(Payment.self)) {
            "\($0.orderID) \($0.status) \($0.amount.text) \($0.currency) \(String(describing: $0.method)) "
                + "\($0.transactionID ?? "-") \(String(describing: $0.failureReason))"
        }
        let shipped = distinct(tapped(Shipment.self)) { "\($0.orderID) \($0.trackingNumber) \($0.carrier)" }
        if ordered.count != written { find("\(written) orders are written down, and \(ordered.count) are published") }
        // 3. Every order is paid or failed; none is queued any more, and dead letters are poison only (8).
        for (identity, order) in ordered.sorted(by: { $0.key < $1.key }) {
            guard let payment = paid[identity] else {
                find("\(identity) has no payment")
                continue
            }
            // 4. What was paid is what was ordered.
            if payment.amount != order.totalAmount || payment.orderID != order.orderID {
                find("\(identity) is \(order.totalAmount.text), and \(payment.amount.text) were paid")
            }
            // 5. A shipment for each success, and for nothing else.
            if (payment.status == .success) != (shipped[identity] != nil) {
                find("\(identity): \(payment.status), and shipment \(shipped[identity]?.trackingNumber ?? "none")")
            }
        }
        let transactions = Set(paid.values.compactMap(\.transactionID))
        if transactions.count != paid.count { find("\(paid.count) payments have \(transactions.count) transactions") }
        // 7. Nothing without its cause.
        for identity in Set(paid.keys).subtracting(ordered.keys).sorted() { find("\(identity) is paid, not ordered") }
        for identity in Set(shipped.keys).subtracting(paid.keys).sorted() { find("\(identity) is shipped, not paid") }
        checkPartners(ordered, paid, shipped)
    }

    /// What was done outside is what the messages say, and the same however often it was asked for.
    private func checkPartners(
        _ ordered: [String: Order], _ paid: [String: Payment], _ shipped: [String: Shipment]
    ) {
        noteDuplicates(partners.repetitions)
        for (what, book) in [
            ("charges", partners.charges), ("bookings", partners.bookings), ("notices", partners.notices),
        ] {
            for (key, answers) in book.sorted(by: { $0.key < $1.key }) where answers.count > 1 {
                find("\(key) has \(answers.count) different \(what): \(answers.sorted())")
            }
        }
        if Set(partners.charges.keys) != Set(paid.keys) { find("what was charged is not what the payments say") }
        if Set(partners.bookings.keys) != Set(shipped.keys) { find("what was booked is not what the shipments say") }
        // 6. One notice for an order and an event, and none for what did not happen.
        let expected =
            ordered.keys.map { OrderIdentity($0).messageID(of: .order) }
            + paid.keys.map { OrderIdentity($0).messageID(of: .payment) }
            + shipped.keys.map { OrderIdentity($0).messageID(of: .shipment) }
        let sent = Set(partners.notices.keys)
        for notice in Set(expected).subtracting(sent).sorted() { find("no notice was sent of \(notice)") }
        for notice in sent.subtracting(expected).sorted() { find("a notice was sent of \(notice), which is not") }
    }

    /// 8. The dead-letter queues hold the poison, all of it, and nothing else.
    private func checkDeadLetters() {
        for queue in PipelineQueue.allCases {
            let letters = (broker.messages(in: queue.deadLetterQueue) ?? []).map { $0.properties.messageID ?? "?" }
            let expected = poison[queue] ?? []
            for letter in Set(letters).subtracting(expected).sorted() {
                find("\(queue.deadLetterQueue) has \(letter), which is no poison")
            }
            for letter in expected.subtracting(letters).sorted() {
                find("\(letter) is not in \(queue.deadLetterQueue)")
            }
            noteDuplicates(letters.count - Set(letters).count)
        }
    }
}

extension Message {
    fileprivate var isPoison: Bool { properties.messageID?.hasPrefix("poison-") == true }
}
