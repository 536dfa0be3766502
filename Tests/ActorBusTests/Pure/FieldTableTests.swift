import Testing

@testable import ActorBus

@Suite struct FieldTableTests {
    /// One letter and a letter with an accent: the same text to a reader, and other bytes.
    private static let composed = "caf\u{E9}"
    private static let decomposed = "cafe\u{301}"

    @Test func namesAreComparedByteForByte() {
        var table: FieldTable = [Self.composed: 1, Self.decomposed: 2]
        #expect(table.count == 2)
        #expect(table[Self.composed] == 1 && table[Self.decomposed] == 2)
        table[Self.composed] = 3
        #expect(table[Self.composed] == 3 && table[Self.decomposed] == 2)
        #expect(table.removeValue(forKey: Self.decomposed) == 2)
        #expect(table.count == 1 && table[Self.composed] == 3 && table[Self.decomposed] == nil)
        #expect(([Self.composed: 1] as FieldTable) != [Self.decomposed: 1])
    }

    @Test func textsAreComparedByteForByteToo() {
        #expect(FieldValue.string(Self.composed) != .string(Self.decomposed))
        #expect(MessageProperties(messageID: Self.composed) != MessageProperties(messageID: Self.decomposed))
        #expect(MessageProperties(messageID: Self.composed) == MessageProperties(messageID: Self.composed))
        #expect(MessageProperties(messageID: nil) != MessageProperties(messageID: ""))
        #expect(Exchange(Self.composed, .fanout) != Exchange(Self.decomposed, .fanout))
        #expect(Queue(Self.composed) != Queue(Self.decomposed))
        #expect(Queue("q").bound(to: Self.composed) != Queue("q").bound(to: Self.decomposed))
    }

    @Test func namesKeepTheirOrderAndTablesAreEqualInAny() {
        var table: FieldTable = ["z": 1, "a": 2]
        table["m"] = 3
        table["z"] = 4
        #expect(table.keys == ["z", "a", "m"])
        let other: FieldTable = ["a": 2, "m": 3, "z": 4]
        #expect(table == other && table.hashValue == other.hashValue)
        #expect(table != ["a": 2, "m": 3, "z": 5] && table != ["a": 2, "m": 3] && table != ["a": 2, "m": 3, "zz": 4])
    }

    @Test func aNameThatCameTwiceIsSentTwiceUntilItIsSet() {
        var table = FieldTable()
        table.append("a", 1)
        table.append("b", 2)
        table.append("a", 3)
        #expect(table.count == 3 && table["a"] == 3)
        table["a"] = 4
        #expect(table.count == 2 && table["a"] == 4)
        table["a"] = nil
        #expect(table.keys == ["b"])
    }

    @Test func numbersAreComparedBitForBit() {
        #expect(FieldValue.double(.nan) == .double(.nan) && FieldValue.float(0) != .float(-0.0))
        #expect(FieldValue.int8(1) != .int16(1))
    }

    /// Both come through the codec, and so do their bytes.
    @Test func bothNamesGoOverTheWireAndBack() throws {
        let properties = MessageProperties(headers: [Self.decomposed: 1, Self.composed: .string(Self.decomposed)])
        var space = [UInt8](repeating: 0, count: 1_000)
        let length = try unsafe space.withUnsafeMutableBytes {
            try unsafe PropertiesCodec.encode(properties, into: $0, pool: WirePool())
        }
        let bytes = Array(space[..<(try #require(length))])
        let back = try #require(
            unsafe bytes.withUnsafeBytes { unsafe PropertiesCodec.decode($0, pool: WirePool(), names: NameCache()) })
        #expect(back.properties == properties && back.properties.headers.keys == [Self.decomposed, Self.composed])
        let again = try unsafe space.withUnsafeMutableBytes {
            try unsafe PropertiesCodec.encode(back.properties, into: $0, pool: WirePool())
        }
        #expect(Array(space[..<(try #require(again))]) == bytes)
    }

    @Test func aTopologyTakesNamesOfOtherBytesForOthers() {
        var topology = Topology {
            Exchange(Self.composed, .fanout)
            Queue(Self.composed)
        }
        topology.merge(
            Topology {
                Exchange(Self.decomposed, .direct)
                Queue(Self.decomposed)
            })
        #expect(topology.exchanges.count == 2 && topology.queues.count == 2)
        topology.merge(Topology { Queue(Self.composed, durable: false) })
        #expect(topology.queues.count == 2 && topology.queues.last?.durable == false)
    }
}
