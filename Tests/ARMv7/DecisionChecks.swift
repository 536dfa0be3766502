/// Replicas decide alike on machines of either kind, also with a 32-bit one in the fleet.
func checkDecisions(_ transcript: inout Transcript) {
    transcript.begin("Decisions")
    transcript.expect(
        "unseeded", decision(Decisions(seed: nil, successRate: 0.5), 1), "Card expired paypal 1216 UPS 7 2372")
    transcript.expect(
        "seeded", decision(Decisions(seed: 7, successRate: 0.5), 4), "Network error paypal 586 UPS 7 1893")
    for seed in [nil, 0, 7, .max] as [UInt64?] {
        let decisions = Decisions(seed: seed, successRate: 0.9)
        for number in [.min, -1, 0, 1 << 31, 1 << 32, 1 << 32 + 1, 1 << 53 + 1, .max] + Array(1...500) as [Int64] {
            transcript.note("order \(number)", decision(decisions, number))
        }
    }

    transcript.begin("OrderContents")
    for number in [1 << 31, 1 << 32, 1 << 53 + 1, .max] + Array(1...300) as [Int64] {
        let contents = OrderContents(seed: 7, orderID: number)
        var text = "\(contents.customerEmail) \(contents.totalAmount.text)"
        for item in contents.items { text += " \(item.quantity)x\(item.productID)" }
        transcript.note("order \(number)", text)
    }

    transcript.begin("GeneratorPlan")
    let plan = GeneratorPlan(
        batch: .standard, pace: Pace(.generatorInterval, speed: .real), seed: 7, maximum: .max)
    var random = SplitMix64(seed: 8)
    for made in [0, 1 << 31, 1 << 32, .max - 2, .max] as [Int64] {
        let next = plan.next(after: made, using: &random)
        transcript.expect("no more than are left after \(made)", next.count <= .max - made, true)
        transcript.note("after \(made)", "\(next.count), \(next.wait.nanoseconds)")
    }
}

/// All that is decided about an order, as one text.
private func decision(_ decisions: Decisions, _ number: Int64) -> String {
    let identity = OrderIdentity(origin: "0123456789abcdef", orderID: number)
    let payment = decisions.payment(orderID: number, identity: identity, milliseconds: 500...2000)
    let shipment = decisions.shipment(orderID: number, identity: identity, milliseconds: 1000...3000)
    let outcome: String
    switch payment.outcome {
    case .charged: outcome = "charged"
    case .declined(let reason): outcome = reason.rawValue
    }
    return "\(outcome) \(payment.method.rawValue) \(payment.milliseconds) \(shipment.booking.carrier.rawValue)"
        + " \(shipment.booking.deliveryDays) \(shipment.milliseconds)"
}
