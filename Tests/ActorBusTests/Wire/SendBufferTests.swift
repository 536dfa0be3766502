import Testing

@testable import ActorBus

@Suite(.timeLimit(.minutes(5))) struct SendBufferTests {
    private static let frameMax = 4_096

    /// Takes bytes apart into frames, by hand.
    private func frames(_ bytes: [UInt8]) throws -> [(type: UInt8, channel: UInt16, payload: [UInt8])] {
        var frames: [(UInt8, UInt16, [UInt8])] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let head = Array(rest.prefix(7))
            try #require(head.count == 7)
            let size = head[3...6].reduce(0) { $0 << 8 | Int($1) }
            try #require(rest.count >= size + 8)
            frames.append((head[0], UInt16(head[1]) << 8 | UInt16(head[2]), Array(rest.dropFirst(7).prefix(size))))
            try #require(rest[rest.startIndex + 7 + size] == 0xCE)
            rest = rest.dropFirst(size + 8)
        }
        return frames
    }

    @Test(arguments: [0, 1, 4_087, 4_088, 4_089, 8_176, 8_177, 100_000])
    func aBodyIsSplitAtTheFrameSize(size: Int) throws {
        let pair = try SocketPair()
        let buffer = SendBuffer()
        let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try buffer.append(
            Message(body: body), exchange: "x", routingKey: "k", mandatory: true, channel: 7, frameMax: Self.frameMax)
        let frames = try frames(try pair.sent(by: buffer))
        #expect(buffer.isEmpty)
        #expect(frames.map(\.type).prefix(2) == [1, 2])
        #expect(frames.allSatisfy { $0.channel == 7 })
        #expect(frames.allSatisfy { $0.payload.count <= Self.frameMax - 8 })
        let bodies = frames.dropFirst(2)
        #expect(bodies.allSatisfy { $0.type == 3 && !$0.payload.isEmpty })
        #expect(bodies.count == (size + 4_087) / 4_088)
        #expect(Array(bodies.map(\.payload).joined()) == body)
        #expect(Array(frames[0].payload.prefix(4)) == [0, 60, 0, 40])
        #expect(Array(frames[1].payload[4..<12]) == WireBytes().u64(UInt64(size)).bytes)
    }

    @Test func propertiesGoThroughTheHeaderFrame() throws {
        let pair = try SocketPair()
        let buffer = SendBuffer()
        let properties = PropertiesCodecTests.everyProperty
        try buffer.append(
            Message(body: [1], properties: properties), exchange: "", routingKey: "k", mandatory: false, channel: 1,
            frameMax: Self.frameMax)
        let header = try frames(try pair.sent(by: buffer))[1].payload
        let back = unsafe header[12...].withUnsafeBytes {
            unsafe PropertiesCodec.decode($0, pool: WirePool(), names: NameCache())
        }
        #expect(back?.properties == properties)
    }

    @Test(arguments: [255, 256])
    func namesHaveAtMost255Bytes(length: Int) throws {
        let buffer = SendBuffer()
        let name = String(repeating: "n", count: length)
        for (exchange, key) in [(name, "k"), ("x", name)] {
            if length == 255 {
                try buffer.append(
                    Message(body: []), exchange: exchange, routingKey: key, mandatory: true, channel: 1,
                    frameMax: Self.frameMax)
            } else {
                let before = buffer.count
                #expect {
                    try buffer.append(
                        Message(body: []), exchange: exchange, routingKey: key, mandatory: true, channel: 1,
                        frameMax: Self.frameMax)
                } throws: { ($0 as? AMQPError)?.code == .invalidMessage }
                #expect(buffer.count == before)
            }
        }
    }

    /// Of a message that cannot be sent, not a byte is.
    @Test(arguments: [
        MessageProperties(headers: ["large": .string(String(repeating: "x", count: 4_096))]),
        MessageProperties(headers: [String(repeating: "k", count: 256): 1]),
        MessageProperties(messageID: String(repeating: "m", count: 256)),
        MessageProperties(headers: ["many": .array(Array(repeating: "0123456789", count: 400))]),
    ])
    func aMessageThatDoesNotFitLeavesNothingBehind(properties: MessageProperties) throws {
        let pair = try SocketPair()
        let buffer = SendBuffer()
        buffer.appendHeartbeat()
        #expect {
            try buffer.append(
                Message(body: [1, 2, 3], properties: properties), exchange: "x", routingKey: "k", mandatory: true,
                channel: 1,
                frameMax: Self.frameMax)
        } throws: { ($0 as? AMQPError)?.code == .invalidMessage }
        buffer.appendHeartbeat()
        #expect(try pair.sent(by: buffer) == Wire.frame(8, []) + Wire.frame(8, []))
    }

    @Test func headersUpToTheFrameSizePass() throws {
        let pair = try SocketPair()
        let buffer = SendBuffer()
        // The fixed part of the header is 12, flags 2, the table's length 4, the key 2, the letter 1, the string's length 4, and 1 for
        // the delivery mode.
        let text = String(repeating: "x", count: Self.frameMax - 8 - 26)
        func append(_ text: String) throws {
            try buffer.append(
                Message(body: [], properties: .init(headers: ["k": .string(text)])), exchange: "", routingKey: "",
                mandatory: true,
                channel: 1, frameMax: Self.frameMax)
        }
        try append(text)
        #expect(throws: AMQPError.self) { try append(text + "x") }
        let frames = try frames(try pair.sent(by: buffer))
        #expect(frames.map(\.payload.count).max() == Self.frameMax - 8)
    }

    @Test func methodsWithLargeArgumentsGrowUpToTheFrameSize() throws {
        let pair = try SocketPair()
        let buffer = SendBuffer()
        try buffer.append(
            .queueDeclare(Queue("q", arguments: ["x": .string(String(repeating: "x", count: 3_000))]), passive: false),
            channel: 1,
            frameMax: Self.frameMax)
        #expect(try frames(try pair.sent(by: buffer)).count == 1)
        #expect {
            try buffer.append(
                .queueDeclare(
                    Queue("q", arguments: ["x": .string(String(repeating: "x", count: 5_000))]), passive: false),
                channel: 1,
                frameMax: Self.frameMax)
        } throws: { ($0 as? AMQPError)?.code == .invalidMessage }
        #expect(buffer.isEmpty)
    }

    @Test func manyMessagesInOneWriteStayWhole() throws {
        let pair = try SocketPair()
        let buffer = SendBuffer()
        for number in 0..<500 {
            try buffer.append(
                Message(text: "\(number)"), exchange: "x", routingKey: "k", mandatory: true, channel: 1,
                frameMax: 131_072)
        }
        let bodies = try frames(try pair.sent(by: buffer)).filter { $0.type == 3 }.map {
            String(decoding: $0.payload, as: UTF8.self)
        }
        #expect(bodies == (0..<500).map(String.init))
    }

    @Test func theProtocolHeaderIsAMQP091() throws {
        let pair = try SocketPair()
        let buffer = SendBuffer()
        buffer.appendProtocolHeader()
        #expect(try pair.sent(by: buffer) == Array("AMQP".utf8) + [0, 0, 9, 1])
    }
}
