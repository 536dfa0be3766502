/// Delivery tags and sequence numbers have 64 bits, and a channel may live long: what happens beyond 31, 32 and 53.
func checkLedgers(_ transcript: inout Transcript) {
    for first in [1, 1 << 31 - 20, 1 << 32 - 20, 1 << 53 - 20, 1 << 63 - 20, .max - 2000] as [UInt64] {
        checkAcknowledgments(from: first, &transcript)
        checkConfirms(from: first, &transcript)
    }
    checkRing(&transcript)
    checkEffects(&transcript)
}

private func text(_ frame: AcknowledgmentLedger.Frame) -> String {
    switch frame {
    case .acknowledge(let tag, let multiple): "ack \(tag)\(multiple ? " and before" : "")"
    case .negative(let tag, let requeue): "nack \(tag)\(requeue ? " requeue" : "")"
    }
}

private func checkAcknowledgments(from first: UInt64, _ transcript: inout Transcript) {
    transcript.begin("AcknowledgmentLedger")
    var ledger = AcknowledgmentLedger(first: first)
    transcript.expect("a tag before the first, from \(first)", ledger.deliver(first - 1), false)
    transcript.expect("a tag after the first, from \(first)", ledger.deliver(first + 1), false)
    for tag in first..<first + 40 { transcript.expect("deliver \(tag)", ledger.deliver(tag), true) }
    // Equal to a delivered tag in their lower 32 bits, and not delivered.
    transcript.expect("2^32 above \(first)", ledger.settle(first &+ (1 << 32), .acknowledge), false)
    transcript.expect("2^32 below \(first)", ledger.settle(first &- (1 << 32), .acknowledge), false)
    transcript.expect("unsettled from \(first)", ledger.unsettled, 40)

    for tag in first..<first + 30 { _ = ledger.settle(tag, .acknowledge) }
    _ = ledger.settle(first + 32, .requeue)
    var frames: [String] = []
    ledger.flush { frames.append(text($0)) }
    transcript.expect(
        "a run from \(first)", frames.joined(separator: ", "),
        "nack \(first + 32) requeue, ack \(first + 29) and before")

    var random = SplitMix64(seed: first)
    var next = first + 40
    for step in 0..<400 {
        switch random.next() % 4 {
        case 0:
            transcript.expect("step \(step) deliver \(next)", ledger.deliver(next), true)
            next += 1
        case 1, 2:
            let tag = next &- 1 &- random.next() % 48
            let settlement: Settlement = random.next() % 3 == 0 ? .reject : .acknowledge
            transcript.note("step \(step) settle \(tag)", ledger.settle(tag, settlement))
        default:
            frames = []
            ledger.flush { frames.append(text($0)) }
            transcript.note("step \(step) flush", frames.joined(separator: ", "))
        }
        transcript.note("step \(step) unsettled", ledger.unsettled)
    }
}

private func checkConfirms(from first: UInt64, _ transcript: inout Transcript) {
    transcript.begin("ConfirmLedger")
    var ledger = ConfirmLedger<UInt64>(first: first)
    for number in first..<first + 40 { transcript.expect("publish", ledger.append(number), number) }
    var taken: [UInt64] = []
    func answer(_ number: UInt64, _ multiple: Bool) -> String {
        taken = []
        let isKnown = ledger.answer(number, multiple: multiple) { taken.append($0) }
        var text = isKnown ? "known" : "unknown"
        for number in taken { text += " \(number)" }
        return text
    }
    transcript.expect(
        "2^32 above \(first)", answer(first &+ (1 << 32), true), first > .max - (1 << 32) ? "known" : "unknown")
    transcript.expect("\(first + 2) alone", answer(first + 2, false), "known \(first + 2)")
    transcript.expect("\(first + 3) and before", answer(first + 3, true), "known \(first) \(first + 1) \(first + 3)")
    transcript.expect("\(first + 3) again", answer(first + 3, false), "known")
    transcript.expect("the next one", answer(first + 40, false), "unknown")
    transcript.expect("unanswered", ledger.unanswered, 36)

    var random = SplitMix64(seed: ~first)
    var next = first + 40
    for step in 0..<400 {
        if random.next() % 2 == 0 {
            transcript.expect("step \(step) publish", ledger.append(next), next)
            next += 1
        } else {
            let number = next &- random.next() % 24
            transcript.note("step \(step) answer \(number)", answer(number, random.next() % 3 == 0))
        }
        transcript.note("step \(step) unanswered", ledger.unanswered)
    }
    transcript.note("first", ledger.next { $0 % 2 == 0 })
    transcript.note("the rest", ledger.removeAll().count)
    transcript.expect("a new channel", ledger.append(1), 1)
}

private func checkRing(_ transcript: inout Transcript) {
    transcript.begin("Ring")
    var ring = Ring<UInt64>()
    var model: [UInt64] = []
    var random = SplitMix64(seed: 1)
    for _ in 0..<4000 {
        let number = random.next()
        if number % 5 < 3 {
            ring.append(number)
            model.append(number)
        } else {
            transcript.expect("first out", ring.popFirst(), model.isEmpty ? nil : model.removeFirst())
        }
    }
    transcript.expect("count", ring.count, model.count)
    var equal = true
    for position in 0..<ring.count where ring[position] != model[position] { equal = false }
    transcript.expect("by position", equal, true)
}

private func checkEffects(_ transcript: inout Transcript) {
    transcript.begin("EffectLedger")
    transcript.expect("the largest capacity", EffectLedger(capacity: .max).capacity, 1 << 30)
    transcript.expect("the smallest capacity", EffectLedger(capacity: .min).capacity, 1)
    var ledger = EffectLedger(capacity: 500)
    var random = SplitMix64(seed: 2)
    for step in 0..<2500 {
        let orderID = Int64.max - Int64(random.next() % 600)
        let identity = OrderIdentity(origin: "0123456789abcdef", orderID: orderID)
        let effect = Effect.allCases[Int(random.next() % 3)]
        let was = ledger.contains(effect, of: identity)
        transcript.expect("step \(step)", ledger.insert(effect, of: identity), !was)
    }
    transcript.expect("count", ledger.count, 500)
}
