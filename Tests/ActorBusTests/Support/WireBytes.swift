/// Bytes of AMQP 0-9-1, written by hand and so independent of the codec under test.
struct WireBytes: ExpressibleByArrayLiteral {
    var bytes: [UInt8]

    init(_ bytes: [UInt8] = []) { self.bytes = bytes }
    init(arrayLiteral elements: UInt8...) { bytes = elements }

    func u8(_ value: UInt8) -> WireBytes { WireBytes(bytes + [value]) }
    func u16(_ value: UInt16) -> WireBytes { u8(UInt8(value >> 8)).u8(UInt8(value & 0xFF)) }
    func u32(_ value: UInt32) -> WireBytes { u16(UInt16(value >> 16)).u16(UInt16(value & 0xFFFF)) }
    func u64(_ value: UInt64) -> WireBytes { u32(UInt32(value >> 32)).u32(UInt32(value & 0xFFFF_FFFF)) }
    func raw(_ more: [UInt8]) -> WireBytes { WireBytes(bytes + more) }
    func short(_ text: String) -> WireBytes { u8(UInt8(text.utf8.count)).raw(Array(text.utf8)) }
    func long(_ text: String) -> WireBytes { long(Array(text.utf8)) }
    func long(_ content: [UInt8]) -> WireBytes { u32(UInt32(content.count)).raw(content) }
}

enum Wire {
    static func frame(_ type: UInt8, channel: UInt16 = 0, _ payload: [UInt8]) -> [UInt8] {
        WireBytes([type]).u16(channel).u32(UInt32(payload.count)).raw(payload).u8(0xCE).bytes
    }

    static func method(
        _ classID: UInt16, _ methodID: UInt16, channel: UInt16 = 0, _ arguments: WireBytes = []
    ) -> [UInt8] {
        frame(1, channel: channel, WireBytes().u16(classID).u16(methodID).raw(arguments.bytes).bytes)
    }

    static func start(mechanisms: String = "PLAIN AMQPLAIN", properties: [UInt8] = [0, 0, 0, 0]) -> [UInt8] {
        method(10, 10, WireBytes().u8(0).u8(9).raw(properties).long(mechanisms).long("en_US"))
    }

    static func tune(channelMax: UInt16 = 2047, frameMax: UInt32 = 131_072, heartbeat: UInt16 = 60) -> [UInt8] {
        method(10, 30, WireBytes().u16(channelMax).u32(frameMax).u16(heartbeat))
    }

    static func openOk() -> [UInt8] { method(10, 41, WireBytes().short("")) }

    static func connectionClose(_ code: UInt16, _ text: String) -> [UInt8] {
        method(10, 50, WireBytes().u16(code).short(text).u16(0).u16(0))
    }

    static func channelOpenOk(_ channel: UInt16) -> [UInt8] { method(20, 11, channel: channel, WireBytes().long("")) }

    static func channelClose(_ channel: UInt16, _ code: UInt16, _ text: String) -> [UInt8] {
        method(20, 40, channel: channel, WireBytes().u16(code).short(text).u16(0).u16(0))
    }

    static func consumeOk(_ channel: UInt16, tag: String) -> [UInt8] {
        method(60, 21, channel: channel, WireBytes().short(tag))
    }

    static func deliver(_ channel: UInt16, tag: String, number: UInt64, redelivered: Bool = false) -> [UInt8] {
        method(
            60, 60, channel: channel, WireBytes().short(tag).u64(number).u8(redelivered ? 1 : 0).short("x").short("k"))
    }

    /// A content header; `properties` begins with the flags.
    static func header(_ channel: UInt16, bodySize: UInt64, properties: [UInt8] = [0, 0]) -> [UInt8] {
        frame(2, channel: channel, WireBytes().u16(60).u16(0).u64(bodySize).raw(properties).bytes)
    }

    static func body(_ channel: UInt16, _ bytes: [UInt8]) -> [UInt8] { frame(3, channel: channel, bytes) }

    static func delivery(_ channel: UInt16, tag: String, number: UInt64, body: [UInt8]) -> [UInt8] {
        deliver(channel, tag: tag, number: number) + header(channel, bodySize: UInt64(body.count))
            + (body.isEmpty ? [] : Self.body(channel, body))
    }

    static func ack(_ channel: UInt16, _ number: UInt64, multiple: Bool = false) -> [UInt8] {
        method(60, 80, channel: channel, WireBytes().u64(number).u8(multiple ? 1 : 0))
    }

    static func basicReturn(_ channel: UInt16, exchange: String, routingKey: String, body: [UInt8]) -> [UInt8] {
        method(60, 50, channel: channel, WireBytes().u16(312).short("NO_ROUTE").short(exchange).short(routingKey))
            + header(channel, bodySize: UInt64(body.count)) + (body.isEmpty ? [] : Self.body(channel, body))
    }

    /// A field table with tables in one another, `depth` of them, itself included; with its length in front.
    static func nestedTable(depth: Int) -> [UInt8] {
        // Each level is an empty key, the letter F, and a length: six bytes more.
        var bytes: [UInt8] = []
        bytes.reserveCapacity(depth * 6)
        for level in 0..<depth {
            let length = UInt32((depth - 1 - level) * 6)
            bytes += WireBytes().u32(length).bytes
            if level < depth - 1 { bytes += [0, UInt8(ascii: "F")] }
        }
        return bytes
    }

    /// The same of arrays, in a table with one key.
    static func nestedArrays(depth: Int) -> [UInt8] {
        var bytes = WireBytes().u32(UInt32(2 + depth * 5)).u8(1).u8(UInt8(ascii: "a")).bytes
        // The key's second byte was counted above: length, key, then an A and a length a level.
        for level in 0..<depth {
            bytes.append(UInt8(ascii: "A"))
            bytes += WireBytes().u32(UInt32((depth - 1 - level) * 5)).bytes
        }
        return bytes
    }
}
