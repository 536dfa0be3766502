/// Hashes, identities and numbers of transactions and shipments.
func checkIdentities(_ transcript: inout Transcript) {
    transcript.begin("SipHash")
    // The authors' test vectors: the key is 00 01 … 0f, the input 00 01 … (length - 1).
    let key: (UInt64, UInt64) = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)
    for (length, expected) in [
        (0, 0x726f_db47_dd0e_0e31), (1, 0x74f8_39c5_93dc_67fd), (8, 0x93f5_f579_9a93_2462),
        (15, 0xa129_ca61_49be_45e5), (63, 0x958a_324c_eb06_4572),
    ] as [(UInt8, UInt64)] {
        transcript.expect("64 bits of \(length) bytes", SipHash.hash64(key: key, 0..<length), expected)
    }
    let long = SipHash.hash128(key: key, 0..<15 as Range<UInt8>)
    transcript.expect("128 bits of 15 bytes, first", long.0, 0x11a8_b033_99e9_9354)
    transcript.expect("128 bits of 15 bytes, second", long.1, 0xd9c3_cf97_0fec_087e)
    for length in 0...255 as ClosedRange<UInt8> {
        transcript.note("64 bits of \(length) bytes", SipHash.hash64(key: key, 0..<length))
    }

    transcript.begin("SplitMix64")
    var random = SplitMix64(seed: 1_234_567)
    transcript.expect("first", random.next(), 6_457_827_717_110_365_317)
    transcript.expect("second", random.next(), 3_203_168_211_198_807_973)

    transcript.begin("Fraction")
    transcript.expect("the greatest, below", Fraction(bits: .max).index(below: .max), .max - 1)
    transcript.expect("a half, below 2^33", Fraction(bits: 1 << 63).index(below: 1 << 33), 1 << 32)
    transcript.expect("the greatest, of all", Fraction(bits: .max).number(in: .min ... .max), .max)
    transcript.expect("the least, of all", Fraction(bits: 0).number(in: .min ... .max), .min)
    transcript.expect("the greatest, within 1", Fraction(bits: .max).isWithin(rate: 1), true)

    transcript.begin("OrderIdentity")
    for orderID in [1, 1 << 31, 1 << 32 + 1, 1 << 53 + 1, .max] as [Int64] {
        let identity = OrderIdentity(origin: "0123456789abcdef", orderID: orderID)
        transcript.expect("order \(orderID)", identity.text, "0123456789abcdef-\(orderID)")
        transcript.expect("payment of \(orderID)", identity.messageID(of: .payment), identity.text + "/payment")
    }
    for length in [254, 255, 256, 1000, 70_000] {
        let identity = OrderIdentity(String(repeating: "é", count: length))
        transcript.expect("of \(length)", identity.text.utf8.count <= 255, true)
        transcript.note("of \(length)", identity.messageID(of: .shipment))
    }

    transcript.begin("TransactionID")
    for (orderID, seconds) in [(1, 1_767_781_800), (1 << 32, 2_147_483_648), (.max, 253_402_300_799)]
        as [(Int64, Int64)]
    {
        let order = order(orderID, at: seconds)
        let text = TransactionID.text(of: order)
        transcript.expect("order \(orderID)", text, "TXN-\(orderID)-\(seconds)")
        transcript.expect("seconds of \(text)", TransactionID.seconds(in: text, orderID: orderID), seconds)
        let answer = ChargeAnswer(outcome: .charged, method: .paypal, processingTime: ProcessingTime(milliseconds: 1))
        let payment = Payment(of: order, answer: answer, at: order.timestamp.adding(days: 1))
        transcript.expect("tracking", TrackingNumber.text(of: payment), "TRACK-\(orderID)-\(seconds)")
    }
    transcript.expect(
        "above 64 bits", TransactionID.seconds(in: "TXN-1-9223372036854775808", orderID: 1), nil)
}

/// An order with contents of its own.
func order(_ orderID: Int64, at seconds: Int64) -> Order {
    OrderContents(seed: 7, orderID: orderID).order(orderID, at: Timestamp(clampingSeconds: seconds))
}
