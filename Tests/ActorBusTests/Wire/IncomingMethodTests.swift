import Testing

@testable import ActorBus

@Suite struct IncomingMethodTests {
    private func decode(_ frame: [UInt8]) throws -> IncomingMethod {
        let payload = Array(frame[7..<frame.count - 1])
        let pool = WirePool()
        return try unsafe payload.withUnsafeBytes {
            try unsafe IncomingMethod(payload: $0, pool: pool, names: NameCache())
        }
    }

    @Test func readsWhatTheHandshakeNeeds() throws {
        let properties = WireBytes().long(WireBytes().short("product").u8(UInt8(ascii: "S")).long("RabbitMQ").bytes)
            .bytes
        guard
            case .connectionStart("PLAIN AMQPLAIN", ["product": "RabbitMQ"]) = try decode(
                Wire.start(properties: properties))
        else { Issue.record("start"); return }
        guard case .connectionTune(2047, 131_072, 60) = try decode(Wire.tune()) else { Issue.record("tune"); return }
        guard case .connectionOpenOk = try decode(Wire.openOk()) else { Issue.record("open-ok"); return }
    }

    @Test func readsTheRest() throws {
        guard case .connectionClose(let reason) = try decode(Wire.connectionClose(320, "bye")) else {
            Issue.record("close"); return
        }
        #expect(reason.replyCode == 320 && reason.replyText == "bye")
        guard case .channelClose(let reason) = try decode(Wire.channelClose(3, 404, "no")) else {
            Issue.record("close"); return
        }
        #expect(reason.replyCode == 404 && reason.replyText == "no")
        guard
            case .connectionBlocked("low on memory") = try decode(
                Wire.method(10, 60, WireBytes().short("low on memory")))
        else { Issue.record("blocked"); return }
        guard
            case .queueDeclareOk("q", 7, 2) = try decode(
                Wire.method(50, 11, channel: 1, WireBytes().short("q").u32(7).u32(2)))
        else { Issue.record("declare-ok"); return }
        guard case .basicDeliver(let header) = try decode(Wire.deliver(1, tag: "t", number: .max, redelivered: true))
        else { Issue.record("deliver"); return }
        #expect(header.deliveryTag == .max && header.redelivered)
        #expect(header.exchange == "x" && header.routingKey == "k")
        guard case .basicAck(9, true) = try decode(Wire.ack(1, 9, multiple: true)) else { Issue.record("ack"); return }
        guard case .basicNack(9, false) = try decode(Wire.method(60, 120, WireBytes().u64(9).u8(2))) else {
            Issue.record("nack"); return
        }
        guard case .queueUnbindOk = try decode(Wire.method(50, 51, channel: 1, WireBytes())) else {
            Issue.record("unbind-ok"); return
        }
        guard case .channelFlow(false) = try decode(Wire.method(20, 20, WireBytes().u8(0))) else {
            Issue.record("flow"); return
        }
        for noWait in [true, false] {
            let cancel = Wire.method(60, 30, WireBytes().short("t").u8(noWait ? 1 : 0))
            guard case .basicCancel("t", noWait) = try decode(cancel) else { Issue.record("cancel"); return }
        }
        guard
            case .basicReturn(312, "NO", "x", "k") = try decode(
                Wire.method(60, 50, WireBytes().u16(312).short("NO").short("x").short("k")))
        else { Issue.record("return"); return }
    }

    @Test func textThatIsNoUTF8IsRepaired() throws {
        let frame = Wire.method(
            60, 60, channel: 1, WireBytes().short("t").u64(1).u8(0).u8(2).raw([0xFF, 0xFE]).short("k"))
        guard case .basicDeliver(let header) = try decode(frame) else { Issue.record("deliver"); return }
        #expect(header.exchange == "??")
        #expect(header.routingKey == "k")
    }

    @Test func everyTruncationIsAProtocolViolation() throws {
        for frame in [
            Wire.start(), Wire.tune(), Wire.connectionClose(1, "text"), Wire.deliver(1, tag: "tag", number: 1),
            Wire.ack(1, 1),
            Wire.method(50, 11, WireBytes().short("q").u32(1).u32(1)),
        ] {
            for length in 0..<frame.count - 8 {
                let cut = Wire.frame(1, Array(frame[7..<7 + length]))
                #expect { try decode(cut) } throws: { ($0 as? AMQPError)?.code == .protocolViolation }
            }
        }
    }

    /// Methods that are for servers, and numbers that are no methods at all.
    @Test func everyOtherMethodIsAProtocolViolation() {
        let known: Set<[UInt16]> = [
            [10, 10], [10, 30], [10, 41], [10, 50], [10, 51], [10, 60], [10, 61], [20, 11], [20, 20], [20, 40],
            [20, 41], [40, 11],
            [50, 11], [50, 21], [50, 51], [60, 11], [60, 21], [60, 30], [60, 31], [60, 50], [60, 60], [60, 80],
            [60, 120],
            [85, 11],
        ]
        for classID in [UInt16](0...130) + [.max] {
            for methodID in [UInt16](0...130) + [.max] where !known.contains([classID, methodID]) {
                let frame = Wire.method(classID, methodID, channel: 1, WireBytes([UInt8](repeating: 0, count: 64)))
                #expect { try decode(frame) } throws: { ($0 as? AMQPError)?.code == .protocolViolation }
            }
        }
    }

    @Test func randomPayloadsAreReadOrRefused() {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<50_000 {
            let classID = [10, 20, 40, 50, 60, 85, 90].randomElement(using: &random)! as UInt16
            let methodID = UInt16.random(in: 0...121, using: &random)
            let arguments = (0..<Int.random(in: 0..<40, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            do {
                _ = try decode(Wire.method(classID, methodID, channel: 1, WireBytes(arguments)))
            } catch {
                #expect((error as? AMQPError)?.code == .protocolViolation)
            }
        }
    }

    /// Methods with a table, which only a client sends: a hostile server may send them all the same.
    @Test(
        arguments: [
            [10, 11], [50, 10], [50, 20], [40, 10], [60, 20], [40, 30], [40, 40], [50, 50], [10, 10],
        ] as [[UInt16]])
    func aDeepTableInAnyMethodHarmsNobody(number: [UInt16]) async {
        let (first, second) = (number[0], number[1])
        await #expect(processExitsWith: .success) { [classID = first as UInt16, methodID = second as UInt16] in
            // Every layout of what may stand in front of the table: with zeros all short strings are empty.
            for front in 0..<12 {
                for table in [Wire.nestedTable(depth: 20_000), Wire.nestedArrays(depth: 24_000)] {
                    let payload = WireBytes().u16(classID).u16(methodID).raw([UInt8](repeating: 0, count: front)).raw(
                        table
                    ).bytes
                    let pool = WirePool()
                    try await onAConnectionsThread {
                        _ = try? unsafe payload.withUnsafeBytes {
                            try unsafe IncomingMethod(payload: $0, pool: pool, names: NameCache())
                        }
                    }
                }
            }
        }
    }
}

@Suite struct NameCacheTests {
    @Test func moreNamesThanItHoldsAreStillRight() throws {
        let names = NameCache()
        for round in 0..<3 {
            for number in 0..<20 {
                let payload = Array(
                    Wire.method(
                        60, 60, channel: 1, WireBytes().short("t").u64(1).u8(0).short("").short("key-\(number)"))[7...]
                        .dropLast())
                let pool = WirePool()
                let method = try unsafe payload.withUnsafeBytes {
                    try unsafe IncomingMethod(payload: $0, pool: pool, names: names)
                }
                guard case .basicDeliver(let header) = method else { Issue.record("deliver"); return }
                #expect(header.routingKey == "key-\(number)", "round \(round)")
            }
        }
    }
}
