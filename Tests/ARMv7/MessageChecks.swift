/// Orders, payments and shipments as JSON: written, read again, and equal, with the largest numbers there can be.
func checkMessages(_ transcript: inout Transcript) {
    transcript.begin("Messages")
    let decisions = Decisions(seed: nil, successRate: 0.5)
    for (orderID, seconds) in [
        (1, 1_767_781_800), (1 << 31, 2_147_483_648), (1 << 32 + 1, 4_294_967_296), (1 << 53 + 1, 253_400_000_000),
        (.max, 253_401_000_000),
    ] as [(Int64, Int64)] {
        let order = order(orderID, at: seconds)
        roundTrip(order, &transcript)
        let decided = decisions.payment(
            orderID: orderID, identity: order.derivedIdentity, milliseconds: 500...2000)
        let answer = ChargeAnswer(
            outcome: decided.outcome, method: decided.method,
            processingTime: ProcessingTime(milliseconds: decided.milliseconds))
        let payment = Payment(of: order, answer: answer, at: order.timestamp)
        transcript.note("payment \(orderID)", String(decoding: payment.encoded(), as: UTF8.self))
        transcript.expect("payment \(orderID) again", (try? Payment(json: payment.encoded())) == payment, true)
        transcript.note("notice", Notification(of: payment).text)
        let shipment = Shipment(of: payment, booking: Booking(carrier: .dhl, deliveryDays: 7), at: order.timestamp)
        transcript.note("shipment \(orderID)", String(decoding: shipment.encoded(), as: UTF8.self))
        transcript.expect("shipment \(orderID) again", (try? Shipment(json: shipment.encoded())) == shipment, true)
        transcript.note("notice", Notification(of: shipment).text)
    }
    for orderID in 1...200 as ClosedRange<Int64> { roundTrip(order(orderID, at: 1_767_781_800 + orderID), &transcript) }

    let good = String(decoding: order(1, at: 1_767_781_800).encoded(), as: UTF8.self).utf8.dropFirst(
        "{\"order_id\":1".count)
    for (number, expected) in [
        ("9223372036854775807", "none"),
        ("9223372036854775808", "order_id: expected a whole number of 64 bits, found the number 9223372036854775808"),
        ("9223372036854775807.0", "none"), ("9.223372036854775807e18", "none"), ("1e3", "none"), ("6.0", "none"),
        ("1e19", "order_id: expected a whole number of 64 bits, found the number 1e19"),
        ("6.5", "order_id: expected a whole number of 64 bits, found the number 6.5"),
    ] {
        let body = Array("{\"order_id\":\(number)".utf8) + Array(good)
        transcript.expect("order_id \(number)", fault(body), expected)
    }
    let limit = [UInt8](repeating: 0x20, count: 1 << 20)
    transcript.expect("1 MiB", fault(limit), "not valid JSON at byte 1048576: expected a value, found the end")
    transcript.expect("more", fault(limit + [0x20]), "the body has 1048577 bytes; 1048576 are the limit")
    transcript.expect(
        "the longest time", ProcessingTime(milliseconds: .max).hundredths, 922_337_203_685_477_580)
}

private func roundTrip(_ order: Order, _ transcript: inout Transcript) {
    let body = order.encoded()
    transcript.note("order \(order.orderID)", String(decoding: body, as: UTF8.self))
    transcript.expect("order \(order.orderID) again", (try? Order(json: body)) == order, true)
    transcript.note("notice", Notification(of: order).text)
}

private func fault(_ body: [UInt8]) -> String {
    do {
        _ = try Order(json: body)
        return "none"
    } catch {
        return error.reason
    }
}
