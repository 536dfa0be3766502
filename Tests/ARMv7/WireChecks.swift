/// Frames by way of rabbitmq-c, whose structures have other sizes and offsets on 32 bits: the bytes on the wire must be
/// the same.
func checkWire(_ transcript: inout Transcript) {
    checkFrames(&transcript)
    checkMethods(&transcript)
    checkProperties(&transcript)
    checkEncodedTables(&transcript)
}

private let frameMax = 131_072

/// What the first frames in some bytes are, read in pieces.
private func frames(in socket: Socket) -> [(type: UInt8, channel: UInt16, payload: [UInt8])] {
    let buffer = ReceiveBuffer()
    var frames: [(type: UInt8, channel: UInt16, payload: [UInt8])] = []
    do throws(AMQPError) {
        while true {
            while let frame = unsafe try buffer.nextFrame(frameMax: frameMax) {
                frames.append(unsafe (frame.type, frame.channel, Array(frame.payload)))
            }
            if try buffer.fill(from: socket).count == 0 { return frames }
        }
    } catch {
        return []
    }
}

private func checkFrames(_ transcript: inout Transcript) {
    transcript.begin("Frames")
    for size in [0, 1, 4096, frameMax - 8, frameMax - 7, 1_000_003] {
        let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let message = Message(body: body, properties: MessageProperties(timestamp: 1 << 32 + 1))
        let sending = SendBuffer()
        let socket = Socket(piece: 65_521)
        do throws(AMQPError) {
            try sending.append(
                message, exchange: "orders", routingKey: "", mandatory: true, channel: 65_535, frameMax: frameMax)
            while !sending.isEmpty { try sending.write(to: socket) }
        } catch {
            transcript.expect("a body of \(size)", error.description, "sent")
        }
        let frames = frames(in: socket)
        transcript.expect("channels", frames.allSatisfy { $0.channel == 65_535 }, true)
        transcript.note("a body of \(size)", hexadecimal(socket.bytes.prefix(96)))
        transcript.expect("frames", frames.count, 2 + (size + frameMax - 9) / (frameMax - 8))
        transcript.expect(
            "the size in the header", frames.count > 1 ? hexadecimal(frames[1].payload[4..<12]) : "",
            hexadecimal((0..<8).map { UInt8(truncatingIfNeeded: UInt64(size) >> (56 - 8 * UInt64($0))) }))
        transcript.expect("the body", Array(frames.dropFirst(2).map { $0.payload }.joined()) == body, true)
    }
    // Sizes that 31 bits do not hold are refused as such, not taken for negative or small ones.
    for size in [0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFF8, 0xFFFF_FFFF] as [UInt32] {
        let head: [UInt8] = [1, 0, 1] + (0..<4).map { UInt8(truncatingIfNeeded: size >> (24 - 8 * UInt32($0))) } + [0]
        do throws(AMQPError) {
            let buffer = ReceiveBuffer()
            _ = try buffer.fill(from: Socket(piece: 100, bytes: head))
            _ = unsafe try buffer.nextFrame(frameMax: frameMax)
            transcript.expect("a frame of \(size)", "accepted", "refused")
        } catch {
            transcript.expect(
                "a frame of \(size)", error.description, "a frame of \(size) bytes, where 131072 were agreed")
        }
    }
}

/// A method as bytes.
private func encoded(_ method: OutgoingMethod, _ pool: WirePool) -> [UInt8] {
    defer { pool.recycle() }
    var space = [UInt8](repeating: 0, count: 4096)
    let length = unsafe space.withUnsafeMutableBytes { bytes in
        (unsafe try? method.encode(into: bytes, pool: pool)).flatMap { $0 }
    }
    return Array(space.prefix(length ?? 0))
}

/// Bytes as a method.
private func decoded(_ bytes: [UInt8], _ pool: WirePool) -> IncomingMethod? {
    defer { pool.recycle() }
    return unsafe bytes.withUnsafeBytes { unsafe try? IncomingMethod(payload: $0, pool: pool, names: NameCache()) }
}

private func checkMethods(_ transcript: inout Transcript) {
    transcript.begin("Methods")
    let pool = WirePool()
    for tag in [1, 1 << 31, 1 << 32, 1 << 53 + 1, .max] as [UInt64] {
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: tag >> (56 - 8 * UInt64($0))) }
        let ack = encoded(.basicAck(deliveryTag: tag, multiple: true), pool)
        transcript.expect("ack \(tag)", hexadecimal(ack), "003c0050" + hexadecimal(bytes) + "01")
        if case .basicAck(let read, true)? = decoded(ack, pool) {
            transcript.expect("ack \(tag) again", read, tag)
        } else {
            transcript.expect("ack \(tag) again", "something else", "\(tag)")
        }
        let nack = encoded(.basicNack(deliveryTag: tag, requeue: true), pool)
        transcript.expect("nack \(tag)", hexadecimal(nack), "003c0078" + hexadecimal(bytes) + "02")
        let deliver: [UInt8] = [0, 60, 0, 60, 1, 0x63] + bytes + [1, 2, 0x65, 0x66, 1, 0x67]
        if case .basicDeliver(let header)? = decoded(deliver, pool) {
            transcript.expect("deliver \(tag)", header.deliveryTag, tag)
            transcript.expect(
                "names", "\(header.exchange) \(header.routingKey) \(header.redelivered)", "ef g true")
        } else {
            transcript.expect("deliver \(tag)", "something else", "\(tag)")
        }
    }
    let declareOk: [UInt8] = [0, 50, 0, 11, 1, 0x71, 0xFF, 0xFF, 0xFF, 0xFF, 0x80, 0, 0, 0]
    if case .queueDeclareOk(let queue, let messages, let consumers)? = decoded(declareOk, pool) {
        transcript.expect("declare-ok", "\(queue) \(messages) \(consumers)", "q 4294967295 2147483648")
    } else {
        transcript.expect("declare-ok", "something else", "declare-ok")
    }
    let tune: [UInt8] = [0, 10, 0, 30, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
    if case .connectionTune(let channels, let size, let heartbeat)? = decoded(tune, pool) {
        transcript.expect("tune", "\(channels) \(size) \(heartbeat)", "65535 4294967295 65535")
    } else {
        transcript.expect("tune", "something else", "tune")
    }
    for method in [
        .connectionTuneOk(channelMax: 2047, frameMax: 131_072, heartbeat: 30), .connectionOpen(virtualHost: "/shop"),
        .connectionStartOk(clientProperties: ["product": "p"], mechanism: "PLAIN", response: [0, 1, 2]),
        .connectionClose(replyCode: 200, replyText: "bye"), .channelOpen, .channelFlowOk(active: true),
        .exchangeDeclare(Exchange("orders", .fanout), passive: false),
        .queueDeclare(Queue("q", .classic, arguments: ["x-expires": .int64(1 << 32)]), passive: false),
        .queueBind(queue: "q", binding: Queue.Binding(exchange: "e", routingKey: "k", arguments: [:])),
        .queueUnbind(queue: "q", binding: Queue.Binding(exchange: "e", routingKey: "k", arguments: [:])),
        .basicQos(prefetch: 65_535), .basicConsume(queue: "q", consumerTag: "c"), .basicCancel(consumerTag: "c"),
        .basicPublish(exchange: "e", routingKey: "k", mandatory: true), .confirmSelect,
    ] as [OutgoingMethod] {
        transcript.note("method", hexadecimal(encoded(method, pool)))
    }
}

private func checkProperties(_ transcript: inout Transcript) {
    transcript.begin("Properties")
    let nested = (0..<31).reduce(FieldValue.int8(1)) { inner, level in
        level % 2 == 0 ? .array([inner]) : .table(["k": inner])
    }
    // One key each: a table's order is not the same in two builds.
    for value in [
        .bool(true), .int8(.min), .uint8(.max), .int16(.min), .uint16(.max), .int32(.min), .uint32(.max), .int64(.min),
        .int64(1 << 32 + 1), .int64(.max), .float(.greatestFiniteMagnitude), .float(-0.0), .double(.pi),
        .double(Double(bitPattern: 1)), .decimal(scale: 255, value: .max), .string(""), .string("€"),
        .string(String(repeating: "x", count: 3000)), .bytes([0, 255]), .timestamp(1 << 32), .timestamp(.max),
        .array([]), .array([.int8(1), .string("two"), .int64(3), .void]), .table([:]), .table(["k": .uint32(7)]), .void,
        nested,
    ] as [FieldValue] {
        roundTrip(MessageProperties(headers: ["key": value]), &transcript)
    }
    roundTrip(
        MessageProperties(
            contentType: "application/json", contentEncoding: "identity", headers: ["k": 1], priority: 255,
            correlationID: String(repeating: "c", count: 255), replyTo: "r", expiration: "18446744073709551615",
            messageID: "m", timestamp: .max, type: "order", userID: "u", appID: "a"), &transcript)
    var many: FieldTable = [:]
    for index in 0..<300 as Range<Int64> { many["key \(index)"] = .int64(index << 32) }
    roundTrip(MessageProperties(headers: many), &transcript, showsBytes: false)

    let tooDeep = MessageProperties(headers: ["key": .array([nested])])
    let tooLong = MessageProperties(messageID: String(repeating: "m", count: 256))
    for properties in [tooDeep, tooLong] {
        let space = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 1)
        defer { unsafe space.deallocate() }
        do throws(AMQPError) {
            _ = unsafe try PropertiesCodec.encode(properties, into: space, pool: WirePool())
            transcript.expect("what cannot be sent", "accepted", "refused")
        } catch {
            transcript.note("what cannot be sent", error)
        }
    }
}

private func roundTrip(_ properties: MessageProperties, _ transcript: inout Transcript, showsBytes: Bool = true) {
    let pool = WirePool()
    var space = [UInt8](repeating: 0, count: 16_384)
    let length = unsafe space.withUnsafeMutableBytes { bytes in
        (unsafe try? PropertiesCodec.encode(properties, into: bytes, pool: pool)).flatMap { $0 }
    }
    pool.recycle()
    let bytes = Array(space.prefix(length ?? 0))
    if showsBytes { transcript.note("bytes", hexadecimal(bytes)) }
    let read = unsafe bytes.withUnsafeBytes { unsafe PropertiesCodec.decode($0, pool: pool, names: NameCache()) }
    transcript.expect("read again", read?.properties == properties, true)
    transcript.expect("fault", read?.headersFault, nil)
}

private func checkEncodedTables(_ transcript: inout Transcript) {
    transcript.begin("EncodedTable")
    func fault(_ bytes: [UInt8]) -> String? { unsafe bytes.withUnsafeBytes { unsafe EncodedTable.fault(in: $0) } }
    let high: [[UInt8]] = [[0x7F, 255, 255, 255], [0x80, 0, 0, 0], [255, 255, 255, 252], [255, 255, 255, 255]]
    for length in high {
        let shown = hexadecimal(length)
        transcript.expect("a table of \(shown)", fault(length + [0, 0]), "cut off")
        // A key "k", and a value whose length is the one in question.
        for kind in "SxFA".utf8 {
            let value: [UInt8] = [1, 0x6B, kind] + length
            transcript.expect(
                "a value of \(shown)", fault([0, 0, 0, UInt8(value.count)] + value), "a value is cut off")
        }
    }
    for depth in [1, 31, 32, 33, 40] {
        var bytes: [UInt8] = []
        for _ in 0..<depth {
            let length = UInt32(bytes.count)
            let prefix = (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * UInt32($0))) }
            bytes = [1, 0x6B, 0x46] + prefix + bytes
        }
        let length = UInt32(bytes.count)
        let prefix = (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * UInt32($0))) }
        transcript.expect(
            "\(depth) in one another", fault(prefix + bytes), depth < 32 ? nil : "nested more than 32 deep")
    }
}
