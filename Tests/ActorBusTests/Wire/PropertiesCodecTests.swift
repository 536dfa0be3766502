import Testing

@testable import ActorBus

@Suite struct PropertiesCodecTests {
    private let pool = WirePool()

    private func encoded(_ properties: MessageProperties, room: Int = 1 << 20) throws -> [UInt8]? {
        defer { pool.recycle() }
        var bytes = [UInt8](repeating: 0xEE, count: room)
        let length = try unsafe bytes.withUnsafeMutableBytes {
            try unsafe PropertiesCodec.encode(properties, into: $0, pool: pool)
        }
        return length.map { Array(bytes[..<$0]) }
    }

    private func decoded(_ bytes: [UInt8]) -> (properties: MessageProperties, headersFault: String?)? {
        defer { pool.recycle() }
        return unsafe bytes.withUnsafeBytes { unsafe PropertiesCodec.decode($0, pool: pool, names: NameCache()) }
    }

    static let everyValue: FieldTable = [
        "bool": true, "false": false, "int8": .int8(.min), "uint8": .uint8(.max), "int16": .int16(.min),
        "uint16": .uint16(.max),
        "int32": .int32(.min), "uint32": .uint32(.max), "int64": .int64(.min), "int64+": .int64(.max),
        "float": .float(-1.5),
        "double": .double(.greatestFiniteMagnitude), "decimal": .decimal(scale: 2, value: 12_345), "string": "text é 😀",
        "empty": "",
        "bytes": .bytes([0, 255, 0xC3, 0x28]), "no bytes": .bytes([]), "timestamp": .timestamp(1_767_781_800),
        "array": .array([true, .array([]), .array(["in", .void]), .table(["k": "v"])]), "no array": .array([]),
        "table": .table(["in": .table(["deeper": .void])]), "no table": .table([:]), "void": .void, "": "an empty key",
    ]

    static let everyProperty = MessageProperties(
        contentType: "application/json", contentEncoding: "gzip", headers: everyValue, deliveryMode: .transient,
        priority: 255,
        correlationID: "c", replyTo: "r", expiration: "60000", messageID: "m é", timestamp: .max, type: "t",
        userID: "guest", appID: "a")

    @Test func everyPropertyComesBack() throws {
        let bytes = try #require(try encoded(Self.everyProperty))
        let back = try #require(decoded(bytes))
        #expect(back.properties == Self.everyProperty)
        #expect(back.headersFault == nil)
    }

    @Test func nothingComesBackAsNothing() throws {
        let none = MessageProperties(deliveryMode: nil)
        #expect(try encoded(none) == [0, 0])
        #expect(decoded([0, 0])?.properties == none)
    }

    /// Every one of the properties alone, so that none leans on another.
    @Test(arguments: 0..<13)
    func eachPropertyComesBackAlone(index: Int) throws {
        var properties = MessageProperties(deliveryMode: nil)
        let all = Self.everyProperty
        switch index {
        case 0: properties.contentType = all.contentType
        case 1: properties.contentEncoding = all.contentEncoding
        case 2: properties.headers = all.headers
        case 3: properties.deliveryMode = .persistent
        case 4: properties.priority = 0
        case 5: properties.correlationID = all.correlationID
        case 6: properties.replyTo = all.replyTo
        case 7: properties.expiration = all.expiration
        case 8: properties.messageID = all.messageID
        case 9: properties.timestamp = 0
        case 10: properties.type = all.type
        case 11: properties.userID = all.userID
        default: properties.appID = ""
        }
        let bytes = try #require(try encoded(properties))
        #expect(decoded(bytes)?.properties == properties)
        #expect(bytes.prefix(2) != [0, 0])
    }

    /// Whatever a peer has sent as text can be sent on, so that it can be put aside.
    @Test func aTextThatIsNoUTF8DoesNotGrow() throws {
        var properties = MessageProperties(deliveryMode: nil)
        properties.correlationID = String(repeating: "x", count: 255)
        var bytes = try #require(try encoded(properties))
        for index in 3..<bytes.count { bytes[index] = 0xFF }
        let damaged = try #require(decoded(bytes)?.properties)
        #expect(damaged.correlationID == String(repeating: "?", count: 255))
        #expect(try encoded(damaged) != nil)
    }

    @Test func textsOf255BytesPassAnd256AreRefused() throws {
        let longest = String(repeating: "x", count: 255)
        for path in [
            \MessageProperties.contentType, \.contentEncoding, \.correlationID, \.replyTo, \.expiration, \.messageID,
            \.type, \.userID, \.appID,
        ] {
            var properties = MessageProperties()
            properties[keyPath: path] = longest
            let bytes = try #require(try encoded(properties))
            #expect(decoded(bytes)?.properties == properties)
            properties[keyPath: path] = longest + "x"
            #expect { try encoded(properties) } throws: { ($0 as? AMQPError)?.code == .invalidMessage }
        }
    }

    @Test func bytesAreCountedAndNotCharacters() {
        #expect(throws: AMQPError.self) {
            try encoded(MessageProperties(messageID: String(repeating: "é", count: 128)))
        }
    }

    @Test func keysOf255BytesPassAnd256AreRefused() throws {
        let key = String(repeating: "k", count: 255)
        let bytes = try #require(try encoded(MessageProperties(headers: [key: 1])))
        #expect(decoded(bytes)?.properties.headers == [key: 1])
        for headers: FieldTable in [
            [key + "k": 1], ["in": .table([key + "k": 1])], ["in": .array([.table([key + "k": 1])])],
        ] {
            #expect { try encoded(MessageProperties(headers: headers)) } throws: {
                ($0 as? AMQPError)?.code == .invalidMessage
            }
        }
    }

    @Test(arguments: [0, 1, 2, 13, 100])
    func whatDoesNotFitIsNilAndNotCutOff(room: Int) throws {
        #expect(try encoded(Self.everyProperty, room: room) == nil)
    }

    @Test func aLongStringThatIsNoTextComesAsBytes() {
        let table = WireBytes().long(WireBytes().short("k").u8(UInt8(ascii: "S")).long([0xFF, 0xFE]).bytes)
        #expect(decoded([0x20, 0] + table.bytes)?.properties.headers == ["k": .bytes([0xFF, 0xFE])])
    }

    @Test func depthOfWhatIsSentIsBounded() {
        var table: FieldTable = [:]
        for _ in 0..<1_000 { table = ["in": .table(table)] }
        var array = FieldValue.array([])
        for _ in 0..<1_000 { array = .array([array]) }
        for headers in [table, ["a": array]] {
            #expect { try encoded(MessageProperties(headers: headers)) } throws: {
                ($0 as? AMQPError)?.code == .invalidMessage
            }
        }
    }

    /// A message that was received can be published on, as a dead letter is: whatever depth is decoded can be encoded again.
    @Test(arguments: 1...40)
    func whatCanBeDecodedCanBeEncoded(depth: Int) throws {
        for table in [Wire.nestedTable(depth: depth), Wire.nestedArrays(depth: depth)] {
            let back = try #require(decoded([0x20, 0] + table))
            if back.headersFault == nil, !back.properties.headers.isEmpty {
                #expect(try encoded(back.properties) == [0x20, 0] + table)
            }
        }
        // The deepest table with something in it.
        var inner: FieldTable = ["v": 1]
        for _ in 1..<depth { inner = ["": .table(inner)] }
        if depth <= 31 { #expect(try encoded(MessageProperties(headers: inner)) != nil) }
    }

    @Test(arguments: [33, 20_000])
    func poisonousHeadersAreLeftOutAndTheRestIsKept(depth: Int) throws {
        // content type, headers, message id
        let payload = WireBytes().u16(0x8000 | 0x2000 | 0x0080).short("text/plain").raw(Wire.nestedTable(depth: depth))
            .short("id")
        let back = try #require(decoded(payload.bytes))
        #expect(back.headersFault?.contains("deep") == true)
        #expect(back.properties.contentType == "text/plain")
        #expect(back.properties.messageID == "id")
        #expect(back.properties.headers.isEmpty)
    }

    @Test func everyTruncationIsHandled() throws {
        let bytes = try #require(try encoded(Self.everyProperty))
        for length in 0..<bytes.count {
            let back = decoded(Array(bytes[..<length]))
            #expect(back == nil || back?.headersFault != nil, "\(length) of \(bytes.count) bytes were taken for all")
        }
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func mutatedBytesAreHandled(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let bytes = try #require(try encoded(Self.everyProperty))
        for _ in 0..<1_000 {
            var mutated = bytes
            for _ in 0..<Int.random(in: 1..<8, using: &random) {
                mutated[Int.random(in: 0..<mutated.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            if let back = decoded(mutated), back.headersFault == nil {
                // What was read can be written, but for texts whose repair made them too long.
                do { _ = try encoded(back.properties) } catch let error as AMQPError {
                    #expect(error.code == .invalidMessage)
                }
            }
        }
    }

    /// The flags may go on in further words (AMQP 0-9-1 section 4.2.6.1), which moves the headers away from where they are looked for.
    @Test(arguments: [1, 2, 3])
    func furtherFlagWordsHideNoDeepTable(words: Int) async {
        await #expect(processExitsWith: .success) { [words = words as Int] in
            var payload = WireBytes().u16(0x2001)
            for word in 1...words { payload = payload.u16(word < words ? 1 : 0) }
            let bytes = payload.raw(Wire.nestedTable(depth: 20_000)).bytes
            let pool = WirePool()
            try await onAConnectionsThread {
                _ = unsafe bytes.withUnsafeBytes { unsafe PropertiesCodec.decode($0, pool: pool, names: NameCache()) }
            }
        }
    }
}
