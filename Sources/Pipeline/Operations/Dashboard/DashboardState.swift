/// Everything that the dashboard shows at one moment. Pure.
///
/// It holds no time of its own, so that two states are equal while nothing happens.
struct DashboardState: Sendable {
    var board: OrderBoard
    var totals: OrderTotals
    var flow: FlowSnapshot

    /// As the page reads it: one line of JSON. Times are milliseconds since 1970, rates are a second's.
    func encoded() -> [UInt8] {
        var json = JSONWriter(capacity: 16_384)
        json.beginObject()
        json.name("broker")
        encodeBroker(into: &json)
        json.name("totals")
        encodeTotals(into: &json)
        json.name("services")
        json.array(flow.services) { Self.encode($1, into: &$0) }
        json.name("queues")
        json.array(flow.queues) { encode($1, into: &$0) }
        json.name("reasons")
        json.array(board.reasons) { json, reason in
            json.beginObject()
            json.name("reason")
            json.string(reason.name)
            json.name("count")
            json.whole(reason.count)
            json.endObject()
        }
        json.name("letters")
        json.array(board.letters) { json, letter in
            json.beginObject()
            json.name("time")
            json.whole(letter.time.milliseconds)
            json.name("queue")
            json.string(letter.queue.rawValue)
            json.name("order")
            json.string(letter.order)
            json.name("reason")
            json.string(letter.reason)
            json.endObject()
        }
        json.name("orders")
        json.array(board.orders) { $1.encode(into: &$0) }
        json.endObject()
        return json.bytes
    }

    private func encodeBroker(into json: inout JSONWriter) {
        json.beginObject()
        json.name("state")
        switch flow.broker {
        case .connecting: json.string("connecting")
        case .up: json.string("up")
        case .away: json.string("away")
        }
        json.name("address")
        json.string(flow.brokerName.isEmpty ? nil : flow.brokerName)
        json.name("why")
        if case .away(let why) = flow.broker { json.string(PrintableText.of(why, limit: 200)) } else { json.null() }
        json.endObject()
    }

    private func encodeTotals(into json: inout JSONWriter) {
        json.beginObject()
        json.name("orders")
        json.whole(totals.counts.orders)
        json.name("paid")
        json.whole(totals.counts.paymentsSuccess)
        json.name("declined")
        json.whole(totals.counts.paymentsFailed)
        json.name("shipped")
        json.whole(totals.counts.shipments)
        json.name("notices")
        json.whole(totals.counts.notifications)
        json.name("open")
        json.whole(totals.open)
        json.name("dead_letters")
        json.whole(totals.deadLettered)
        json.name("redelivered")
        json.whole(totals.redelivered)
        json.name("reconnects")
        json.rounded(flow.figures.reduce(0) { $0 + $1.reconnects })
        json.endObject()
    }

    private static func encode(_ service: FlowSnapshot.Service, into json: inout JSONWriter) {
        json.beginObject()
        json.name("name")
        json.string(service.kind?.rawValue ?? service.name)
        var figures: FlowSnapshot.Figures?
        if case .up(let known) = service.state { figures = known }
        json.name("connected")
        if let figures { json.bool(figures.isConnected) } else { json.null() }
        json.name("rate")
        json.decimal(figures?.rate)
        json.name("median_ms")
        json.rounded(figures?.median.map { $0 * 1000 })
        json.name("in_work")
        json.rounded(figures?.inFlight)
        json.endObject()
    }

    private func encode(_ queue: FlowSnapshot.Queue, into json: inout JSONWriter) {
        let work = flow.work(on: queue.queue)
        json.beginObject()
        json.name("name")
        json.string(queue.queue.rawValue)
        json.name("ready")
        json.whole(queue.ready)
        json.name("in_work")
        json.rounded(work?.inFlight)
        json.name("consumers")
        json.whole(queue.consumers)
        json.name("change")
        json.decimal(queue.change)
        json.name("out")
        json.decimal(work?.settledPerSecond)
        json.name("dead_letters")
        json.whole(queue.deadLetters)
        json.name("history")
        json.array(queue.history) { $0.whole(Int64($1)) }
        json.endObject()
    }
}

extension RecentOrder {
    fileprivate func encode(into json: inout JSONWriter) {
        json.beginObject()
        json.name("id")
        json.string(identity.text)
        json.name("number")
        json.whole(number)
        json.name("customer")
        json.string(customer)
        json.name("total")
        json.string(total)
        json.name("items")
        json.whole(items.map { Int64($0) })
        json.name("began")
        json.whole(beginning?.time.milliseconds)
        json.name("rough")
        json.bool(beginning?.isRough == true)
        json.name("seen")
        json.whole(firstSeen.milliseconds)
        json.name("ordered")
        json.whole(ordered?.milliseconds)
        json.name("paid")
        json.optional(payment) { json, payment in
            json.name("time")
            json.whole(payment.time.milliseconds)
            json.name("declined")
            json.string(payment.declined)
            json.name("method")
            json.string(payment.method)
        }
        json.name("shipped")
        json.optional(shipment) { json, shipment in
            json.name("time")
            json.whole(shipment.time.milliseconds)
            json.name("carrier")
            json.string(shipment.carrier)
            json.name("tracking")
            json.string(shipment.trackingNumber)
        }
        json.name("notices")
        json.optional(self) { json, order in
            json.name("order")
            json.whole(order.orderNotice?.milliseconds)
            json.name("payment")
            json.whole(order.paymentNotice?.milliseconds)
            json.name("shipment")
            json.whole(order.shipmentNotice?.milliseconds)
        }
        json.name("put_aside")
        json.string(putAside?.rawValue)
        json.endObject()
    }
}

extension JSONWriter {
    fileprivate mutating func array<Element>(
        _ elements: [Element], _ encode: (inout JSONWriter, Element) -> Void
    ) {
        beginArray()
        for element in elements { encode(&self, element) }
        endArray()
    }

    /// An object, or `null` for nil.
    fileprivate mutating func optional<Value>(_ value: Value?, _ members: (inout JSONWriter, Value) -> Void) {
        guard let value else { return null() }
        beginObject()
        members(&self, value)
        endObject()
    }

    fileprivate mutating func whole(_ number: Int64?) {
        if let number { whole(number) } else { null() }
    }

    fileprivate mutating func whole(_ number: UInt32?) { whole(number.map { Int64($0) }) }

    /// A number with at most two decimals; `null` for what is none.
    fileprivate mutating func decimal(_ number: Double?) {
        guard let number, number.magnitude < 1e15 else { return null() }
        hundredths(Int64((number * 100).rounded()))
    }

    fileprivate mutating func rounded(_ number: Double?) {
        guard let number, number.magnitude < 1e15 else { return null() }
        whole(Int64(number.rounded()))
    }
}
