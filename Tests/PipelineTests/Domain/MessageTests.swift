import Testing

@testable import Pipeline

@Suite("Messages")
struct MessageTests {
    private func reason(_ read: () throws(MalformedMessage) -> Void) -> String? {
        do {
            try read()
            return nil
        } catch {
            return error.reason
        }
    }

    private func orderReason(_ body: [UInt8]) -> String? {
        reason { () throws(MalformedMessage) in _ = try Order(json: body) }
    }

    private func paymentReason(_ body: [UInt8]) -> String? {
        reason { () throws(MalformedMessage) in _ = try Payment(json: body) }
    }

    private func shipmentReason(_ body: [UInt8]) -> String? {
        reason { () throws(MalformedMessage) in _ = try Shipment(json: body) }
    }

    private func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self)
    }

    // MARK: The original's samples

    @Test("reads the original's order and writes it as it was")
    func order() throws {
        let order = try Order(json: Array(SampleMessages.order.utf8))
        #expect(order.orderID == 42)
        #expect(order.customerEmail == "alice@example.com")
        #expect(order.items.count == 1)
        #expect(order.items.first?.productID == 1)
        #expect(order.items.first?.name == "Laptop Pro 15")
        #expect(order.items.first?.price.cents == 129_999)
        #expect(order.items.first?.quantity == 1)
        #expect(order.totalAmount.cents == 129_999)
        #expect(order.currency == "EUR")
        #expect(order.timestamp.seconds == 1_767_781_800)
        #expect(text(order.encoded()) == SampleMessages.compact(SampleMessages.order))
        #expect(try Order(json: order.encoded()) == order)
    }

    @Test("reads the original's payment and writes it as it was")
    func payment() throws {
        let payment = try Payment(json: Array(SampleMessages.payment.utf8))
        #expect(payment.orderID == 42)
        #expect(payment.customerEmail == "alice@example.com")
        #expect(payment.amount.cents == 129_999)
        #expect(payment.currency == "EUR")
        #expect(payment.status == .success)
        #expect(payment.method == .creditCard)
        #expect(payment.transactionID == "TXN-42-1736244600")
        #expect(payment.timestamp.seconds == 1_767_781_802)
        #expect(payment.processingTime.hundredths == 123)
        #expect(payment.failureReason == nil)
        #expect(text(payment.encoded()) == SampleMessages.compact(SampleMessages.payment))
        #expect(try Payment(json: payment.encoded()) == payment)
    }

    @Test("reads the original's shipment and writes it as it was")
    func shipment() throws {
        let shipment = try Shipment(json: Array(SampleMessages.shipment.utf8))
        #expect(shipment.orderID == 42)
        #expect(shipment.customerEmail == "alice@example.com")
        #expect(shipment.trackingNumber == "TRACK-42-1736244605")
        #expect(shipment.carrier == .dhl)
        #expect(shipment.estimatedDelivery.text == "2026-01-12T10:30:05Z")
        #expect(shipment.timestamp.text == "2026-01-07T10:30:05Z")
        #expect(text(shipment.encoded()) == SampleMessages.compact(SampleMessages.shipment))
        #expect(try Shipment(json: shipment.encoded()) == shipment)
    }

    // MARK: Leniency

    @Test("ignores fields it does not know, and takes the last of those that are there twice")
    func extraFields() throws {
        let body = #"""
            {"x":{"order_id":[1]},"order_id":7,"order_id":42,"customer_email":"a","items":[],"total_amount":1e1,
            "currency":"EUR","timestamp":"2026-01-07T11:30:00.123456+01:00","status":"pending","note":null}
            """#
        let order = try Order(json: Array(body.utf8))
        #expect(order.orderID == 42)
        #expect(order.items.isEmpty)
        #expect(order.totalAmount.cents == 1000)
        #expect(order.timestamp.text == "2026-01-07T10:30:00Z")
        #expect(order.writtenTimestamp == "2026-01-07T11:30:00.123456+01:00")
    }

    @Test("a failed payment may lack method, transaction and reason; a successful one may not")
    func failedPayment() throws {
        let failed = SampleMessages.payment.replacing("\"success\"", with: "\"failed\"")
            .replacing("\"credit_card\"", with: "null").replacing("\"TXN-42-1736244600\"", with: "null")
        let payment = try Payment(json: Array(failed.utf8))
        #expect(payment.status == .failed)
        #expect(payment.method == nil)
        #expect(payment.transactionID == nil)
        #expect(payment.failureReason == nil)
        #expect(try Payment(json: payment.encoded()) == payment)
        #expect(
            paymentReason(SampleMessages.changed(SampleMessages.payment, "payment_method", to: "null"))
                == "payment_method: expected a string, found null")
        #expect(
            paymentReason(SampleMessages.changed(SampleMessages.payment, "transaction_id", to: "null"))
                == "transaction_id: expected a string, found null")
    }

    @Test("keeps methods, reasons and carriers it does not know")
    func unknownVocabulary() throws {
        let payment = try Payment(
            json: Array(
                SampleMessages.payment.replacing("credit_card", with: "carrier pigeon")
                    .replacing("\"failure_reason\": null", with: "\"failure_reason\": \"Too heavy\"").utf8))
        #expect(payment.method?.rawValue == "carrier pigeon")
        #expect(payment.failureReason?.rawValue == "Too heavy")
        let shipment = try Shipment(json: SampleMessages.changed(SampleMessages.shipment, "carrier", to: "\"Hermes\""))
        #expect(shipment.carrier.rawValue == "Hermes")
    }

    @Test(
        "processing times are read to the hundredth",
        arguments: [
            ("1.2345678", 123), ("0", 0), ("2", 200), ("1e-1", 10), ("-0.004", 0), ("-1.5", -150), ("1.995", 200),
        ] as [(String, Int64)])
    func processingTime(text: String, hundredths: Int64) throws {
        let payment = try Payment(json: SampleMessages.changed(SampleMessages.payment, "processing_time", to: text))
        #expect(payment.processingTime.hundredths == hundredths)
    }

    // MARK: Malformed

    @Test(
        "an order's field of the wrong kind is named, with what was found",
        arguments: [
            ("order_id", "\"42\"", "order_id: expected a whole number of 64 bits, found the string \"42\""),
            ("order_id", "42.5", "order_id: expected a whole number of 64 bits, found the number 42.5"),
            ("order_id", "1e-3", "order_id: expected a whole number of 64 bits, found the number 1e-3"),
            (
                "order_id", "9223372036854775808",
                "order_id: expected a whole number of 64 bits, found the number 9223372036854775808"
            ),
            ("order_id", "null", "order_id: expected a whole number of 64 bits, found null"),
            ("order_id", "true", "order_id: expected a whole number of 64 bits, found true"),
            ("order_id", "[]", "order_id: expected a whole number of 64 bits, found a list"),
            ("order_id", "{}", "order_id: expected a whole number of 64 bits, found an object"),
            ("order_id", nil, "order_id is missing: expected a whole number of 64 bits"),
            ("customer_email", "7", "customer_email: expected a string, found the number 7"),
            ("customer_email", nil, "customer_email is missing: expected a string"),
            (
                "total_amount", "-0.01",
                "total_amount: expected an amount from 0 to 1000000.00 in whole cents, found the number -0.01"
            ),
            (
                "total_amount", "1000000.01",
                "total_amount: expected an amount from 0 to 1000000.00 in whole cents, found the number 1000000.01"
            ),
            (
                "total_amount", "1e999999999",
                "total_amount: expected an amount from 0 to 1000000.00 in whole cents, found the number 1e999999999"
            ),
            (
                "total_amount", "\"1299.99\"",
                "total_amount: expected an amount from 0 to 1000000.00 in whole cents, found the string \"1299.99\""
            ),
            (
                "total_amount", "null",
                "total_amount: expected an amount from 0 to 1000000.00 in whole cents, found null"
            ),
            ("total_amount", nil, "total_amount is missing: expected an amount from 0 to 1000000.00 in whole cents"),
            (
                "total_amount", "18.605",
                "total_amount: expected an amount from 0 to 1000000.00 in whole cents, found the number 18.605"
            ),
            (
                "currency", "null",
                "currency: expected a currency of three capital letters, as in \"EUR\", found null"
            ),
            (
                "currency", nil,
                "currency is missing: expected a currency of three capital letters, as in \"EUR\""
            ),
            (
                "currency", "\"eur\"",
                "currency: expected a currency of three capital letters, as in \"EUR\", found the string \"eur\""
            ),
            (
                "timestamp", "\"yesterday\"",
                "timestamp: expected a time as in \"2026-01-07T10:30:00Z\", found the string \"yesterday\""
            ),
            (
                "timestamp", "1767781800",
                "timestamp: expected a time as in \"2026-01-07T10:30:00Z\", found the number 1767781800"
            ),
            ("timestamp", nil, "timestamp is missing: expected a time as in \"2026-01-07T10:30:00Z\""),
            ("status", "\"paid\"", "status: expected \"pending\", found the string \"paid\""),
            ("status", "null", "status: expected \"pending\", found null"),
            ("status", nil, "status is missing: expected \"pending\""),
            ("total_amount", "NaN", "not valid JSON at byte 177: expected a value, found \"N\""),
        ] as [(String, String?, String)])
    func malformedOrder(field: String, value: String?, reason: String) {
        #expect(orderReason(SampleMessages.changed(SampleMessages.order, field, to: value)) == reason)
    }

    @Test(
        "an item's field of the wrong kind is named with its place",
        arguments: [
            ("{}", "items: expected a list, found an object"),
            ("[7]", "items[0]: expected an object, found the number 7"),
            ("[{}]", "items[0].product_id is missing: expected a whole number of 64 bits"),
            (
                #"[{"product_id":1,"name":"a","price":1,"quantity":1},{"product_id":1.5}]"#,
                "items[1].product_id: expected a whole number of 64 bits, found the number 1.5"
            ),
            (#"[{"product_id":1,"name":null,"price":1,"quantity":1}]"#, "items[0].name: expected a string, found null"),
            (
                #"[{"product_id":1,"name":"a","price":-1,"quantity":1}]"#,
                "items[0].price: expected an amount from 0 to 1000000.00 in whole cents, found the number -1"
            ),
            (
                #"[{"product_id":1,"name":"a","price":1,"quantity":-1}]"#,
                "items[0].quantity: expected a whole number of 64 bits, 0 or more, found the number -1"
            ),
            (
                #"[{"product_id":1,"name":"a","price":1,"quantity":1.5}]"#,
                "items[0].quantity: expected a whole number of 64 bits, 0 or more, found the number 1.5"
            ),
            (
                #"[{"product_id":1,"name":"a","price":1.001,"quantity":1}]"#,
                "items[0].price: expected an amount from 0 to 1000000.00 in whole cents, found the number 1.001"
            ),
        ])
    func malformedItems(items: String, reason: String) {
        let body =
            #"{"order_id":1,"customer_email":"a","items":\#(items),"total_amount":1,"currency":"EUR","#
            + #""timestamp":"2026-01-07T10:30:00Z","status":"pending"}"#
        #expect(orderReason(Array(body.utf8)) == reason)
    }

    @Test(
        "every field of a payment is needed",
        arguments: [
            "order_id", "customer_email", "amount", "currency", "status", "payment_method", "transaction_id",
            "timestamp",
            "processing_time", "failure_reason",
        ])
    func missingInPayment(field: String) {
        let reason = paymentReason(SampleMessages.changed(SampleMessages.payment, field, to: nil))
        #expect(reason?.hasPrefix("\(field) is missing: ") == true)
        let wrong = paymentReason(SampleMessages.changed(SampleMessages.payment, field, to: "[1]"))
        #expect(wrong?.hasPrefix("\(field): expected ") == true)
        #expect(wrong?.hasSuffix(", found a list") == true)
    }

    @Test(
        "every field of a shipment is needed",
        arguments: [
            "order_id", "customer_email", "tracking_number", "carrier", "estimated_delivery", "status", "timestamp",
        ])
    func missingInShipment(field: String) {
        let reason = shipmentReason(SampleMessages.changed(SampleMessages.shipment, field, to: nil))
        #expect(reason?.hasPrefix("\(field) is missing: ") == true)
        let wrong = shipmentReason(SampleMessages.changed(SampleMessages.shipment, field, to: "null"))
        #expect(wrong?.hasPrefix("\(field): expected ") == true)
        #expect(wrong?.hasSuffix(", found null") == true)
    }

    @Test("statuses that nobody knows are malformed")
    func unknownStatus() {
        #expect(
            paymentReason(SampleMessages.changed(SampleMessages.payment, "status", to: "\"maybe\""))
                == "status: expected \"success\" or \"failed\", found the string \"maybe\"")
        #expect(
            shipmentReason(SampleMessages.changed(SampleMessages.shipment, "status", to: "\"lost\""))
                == "status: expected \"shipped\", found the string \"lost\"")
        #expect(
            paymentReason(SampleMessages.changed(SampleMessages.payment, "processing_time", to: "1e400"))
                == "processing_time: expected a number of seconds, found the number 1e400")
    }

    @Test(
        "bodies that are no JSON object",
        arguments: [
            ("", "the body is empty"),
            ("hello", "not valid JSON at byte 0: expected a value, found \"h\""),
            ("[]", "expected a JSON object, found a list"),
            ("null", "expected a JSON object, found null"),
            ("42", "expected a JSON object, found the number 42"),
            ("\"a\\nb\"", "expected a JSON object, found the string \"a\\u{a}b\""),
            ("{} {}", "not valid JSON at byte 3: expected the end of the text, found \"{\""),
            ("\u{FEFF}{}", "the body begins with a byte order mark (EF BB BF), which JSON must not have"),
        ])
    func noObject(body: String, reason: String) {
        #expect(orderReason(Array(body.utf8)) == reason)
        #expect(paymentReason(Array(body.utf8)) == reason)
        #expect(shipmentReason(Array(body.utf8)) == reason)
    }

    @Test("a body may have 1 MiB, and not a byte more")
    func size() {
        let padded =
            Array(SampleMessages.order.utf8)
            + [UInt8](repeating: 0x20, count: (1 << 20) - SampleMessages.order.utf8.count)
        #expect(orderReason(padded) == nil)
        #expect(orderReason(padded + [0x20]) == "the body has 1048577 bytes; 1048576 are the limit")
        let huge = [UInt8](repeating: UInt8(ascii: "["), count: 10_000_000)
        #expect(orderReason(huge) == "the body has 10000000 bytes; 1048576 are the limit")
        #expect(
            orderReason(Array(huge.prefix(100_000))) == "not valid JSON at byte 64: nested deeper than 64 levels")
    }

    @Test("a customer's address has no control characters, however they are written")
    func controlCharacters() {
        let controls = Array(UInt32(0)...0x1F) + Array(0x7F...0x9F)
        for (sample, read) in [
            (SampleMessages.order, orderReason), (SampleMessages.payment, paymentReason),
            (SampleMessages.shipment, shipmentReason),
        ] {
            for value in controls {
                let code = String(value, radix: 16, uppercase: true)
                let digits = String(repeating: "0", count: 4 - code.count) + code
                let reason = "customer_email: expected an address without control characters, found U+\(digits)"
                let escaped = SampleMessages.changed(sample, "customer_email", to: "\"a\\u\(digits)@example.com\"")
                #expect(read(escaped) == reason)
                guard value >= 0x20, let scalar = Unicode.Scalar(value) else { continue }
                let plain = SampleMessages.changed(sample, "customer_email", to: "\"a@example.com\(scalar)\"")
                #expect(read(plain) == reason)
            }
            for text in [" ", "é", "\u{A0}", "a\u{300}", "😀", "", "ñ@ü.example"] {
                #expect(read(SampleMessages.changed(sample, "customer_email", to: "\"\(text)\"")) == nil, "\(text)")
            }
        }
    }

    @Test(
        "a currency is three capital letters",
        arguments: [
            "", "EU", "EURO", "Eur", "eur", "EU ", "€", "E\u{301}U", "ÄÖÜ", "E€R", "ＥＵＲ", "E1R", "EUR\\n",
            "\\u0000\\u0000\\u0000",
            "\\u212AKK",
        ])
    func currencies(code: String) {
        for (sample, read) in [(SampleMessages.order, orderReason), (SampleMessages.payment, paymentReason)] {
            let reason = read(SampleMessages.changed(sample, "currency", to: "\"\(code)\""))
            #expect(reason?.hasPrefix("currency: expected a currency of three capital letters") == true, "\(code)")
            #expect(read(SampleMessages.changed(sample, "currency", to: #""\u0041ZB""#)) == nil)
        }
    }

    @Test("whole numbers may be written with a point or an exponent")
    func wholeNumbers() throws {
        let body = String(decoding: SampleMessages.changed(SampleMessages.order, "order_id", to: "42.0"), as: UTF8.self)
            .replacing("\"product_id\": 1,", with: "\"product_id\": 1e3,")
            .replacing("\"quantity\": 1}", with: "\"quantity\": 0.6e1}")
        let order = try Order(json: Array(body.utf8))
        #expect(order.orderID == 42 && order.items[0].productID == 1000 && order.items[0].quantity == 6)
        #expect(
            try Shipment(
                json: SampleMessages.changed(SampleMessages.shipment, "order_id", to: "-9.223372036854775808e18")
            )
            .orderID == .min)
    }

    @Test(
        "a body in another format is named",
        arguments: [
            ([0xEF, 0xBB, 0xBF], "byte order mark (EF BB BF)"), ([0xFF, 0xFE], "UTF-16"), ([0xFE, 0xFF], "UTF-16"),
            ([0xFF, 0xFE, 0, 0], "UTF-32"), ([0, 0, 0xFE, 0xFF], "UTF-32"),
            ([0, 0x53, 0x75, 0xA0], "AMQP 1.0 section (data)"), ([0, 0x53, 0x76], "AMQP 1.0 section (amqp-sequence)"),
            ([0, 0x53, 0x77, 0xA1, 2], "AMQP 1.0 section (amqp-value)"),
            ([0, 0x53, 0x70], "AMQP 1.0 section (header)"), ([0, 0x53, 0x78], "AMQP 1.0 section (footer)"),
            ([0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x77], "AMQP 1.0 section (amqp-value)"),
        ] as [([UInt8], String)])
    func otherFormats(beginning: [UInt8], words: String) {
        for body in [beginning, beginning + Array(SampleMessages.order.utf8)] {
            #expect(orderReason(body)?.contains(words) == true, "\(orderReason(body) ?? "no reason")")
            #expect(paymentReason(body) == orderReason(body) && shipmentReason(body) == orderReason(body))
        }
    }

    @Test(
        "a body that only begins like another format is not taken for it",
        arguments: [
            [0], [0, 0x53], [0, 0x53, 0x6F], [0, 0x53, 0x79], [0, 0x80], [0, 0x80, 0, 0, 0, 0, 0, 0, 0], [0xEF, 0xBB],
            [0xFE],
        ]
            as [[UInt8]])
    func noOtherFormat(beginning: [UInt8]) {
        #expect(orderReason(beginning)?.hasPrefix("not valid JSON at byte 0: ") == true)
    }

    @Test("what is copied into the next message leaves it below that")
    func textSize() throws {
        let limit = 1 << 16
        // What grows most when it is written again: one byte that becomes two.
        let longest = String(repeating: #"\""#, count: limit)
        var order = SampleMessages.changed(SampleMessages.order, "customer_email", to: "\"\(longest)\"")
        #expect(orderReason(order) == nil)
        let read = try Order(json: order)
        #expect(read.customerEmail.utf8.count == limit && read.encoded().count < 1 << 20)
        order = SampleMessages.changed(SampleMessages.order, "customer_email", to: "\"\(longest)b\"")
        #expect(orderReason(order) == "customer_email has 65537 bytes; 65536 are the limit")
        // No other text is copied, so none has a limit of its own.
        let name = SampleMessages.order.replacing("Laptop Pro 15", with: String(repeating: "x", count: 500_000))
        #expect(orderReason(Array(name.utf8)) == nil)
    }

    @Test("a reason is one short line, whatever a stranger wrote")
    func reasonsArePrintable() {
        let evil = String(repeating: #"\n\u001b[31m\u202e"#, count: 1000)
        let reason = orderReason(SampleMessages.changed(SampleMessages.order, "status", to: "\"\(evil)\""))
        #expect(reason?.count ?? 0 < 400)
        #expect(reason?.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x202E } == true)
        let digits = String(repeating: "1", count: 10_000)
        #expect(
            orderReason(SampleMessages.changed(SampleMessages.order, "order_id", to: digits))
                == "order_id: expected a whole number of 64 bits, found the number "
                + String(repeating: "1", count: 40) + "…")
    }

    // MARK: Random messages

    @Test("what is written is read back, whatever the texts hold")
    func roundTrips() throws {
        var random = SeededNumbers(5)
        for _ in 0..<1000 {
            let items = (0..<random.below(5)).map { _ in
                Order.Item(
                    productID: random.number(in: .min ... .max), name: random.text(),
                    price: Money(cents: random.number(in: 0...100_000_000)) ?? .zero,
                    quantity: random.number(in: 0 ... .max))
            }
            let order = Order(
                orderID: random.number(in: .min ... .max), customerEmail: random.printableText(), items: items,
                totalAmount: Money(cents: random.number(in: 0...100_000_000)) ?? .zero,
                currency: random.element(of: ["EUR", "USD", "AAA", "ZZZ"]),
                timestamp: Timestamp(clampingSeconds: random.number(in: -62_167_219_200...253_402_300_799)))
            #expect(try Order(json: order.encoded()) == order)

            let isDeclined = random.below(2) == 0
            let payment = Payment(
                of: order,
                answer: ChargeAnswer(
                    outcome: isDeclined ? .declined(FailureReason(rawValue: random.text())) : .charged,
                    method: PaymentMethod(rawValue: random.text()),
                    processingTime: ProcessingTime(hundredths: random.number(in: 0...100_000))),
                at: order.timestamp)
            #expect(try Payment(json: payment.encoded()) == payment)

            let shipment = Shipment(
                of: payment, booking: Booking(carrier: CarrierName(rawValue: random.text()), deliveryDays: 3),
                at: payment.timestamp)
            #expect(try Shipment(json: shipment.encoded()) == shipment)
        }
    }
}
