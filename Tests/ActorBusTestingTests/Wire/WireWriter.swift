/// Writes AMQP's values, without the library's codec, which is under test itself.
struct WireWriter {
    enum Value: CustomStringConvertible {
        case long(Int64)
        case int(Int32)
        case text(String)
        case bool(Bool)
        case table([(String, Value)])
        case array([Value])

        var description: String {
            switch self {
            case .long(let long): "long \(long)"
            case .int(let int): "int \(int)"
            case .text(let text): "'\(text)'"
            case .bool(let bool): "\(bool)"
            case .table(let entries): "\(entries)"
            case .array(let values): "\(values)"
            }
        }
    }

    var bytes: [UInt8] = []

    func u8(_ value: UInt8) -> WireWriter { adding([value]) }
    func u16(_ value: UInt16) -> WireWriter { adding([UInt8(value >> 8), UInt8(value & 0xFF)]) }
    func u32(_ value: UInt32) -> WireWriter { u16(UInt16(value >> 16)).u16(UInt16(value & 0xFFFF)) }
    func u64(_ value: UInt64) -> WireWriter { u32(UInt32(value >> 32)).u32(UInt32(value & 0xFFFF_FFFF)) }
    func short(_ text: String) -> WireWriter { u8(UInt8(text.utf8.count)).adding(Array(text.utf8)) }
    func long(_ bytes: [UInt8]) -> WireWriter { u32(UInt32(bytes.count)).adding(bytes) }
    /// Flags, packed from the lowest bit on.
    func bits(_ flags: Bool...) -> WireWriter {
        u8(flags.enumerated().reduce(0) { $0 | ($1.element ? 1 << UInt8($1.offset) : 0) })
    }

    func table(_ entries: [(String, Value)]) -> WireWriter {
        long(entries.reduce(WireWriter()) { $0.short($1.0).value($1.1) }.bytes)
    }

    func adding(_ more: [UInt8]) -> WireWriter { WireWriter(bytes: bytes + more) }

    private func value(_ value: Value) -> WireWriter {
        switch value {
        case .long(let long): u8(UInt8(ascii: "l")).u64(UInt64(bitPattern: long))
        case .int(let int): u8(UInt8(ascii: "I")).u32(UInt32(bitPattern: int))
        case .text(let text): u8(UInt8(ascii: "S")).long(Array(text.utf8))
        case .bool(let bool): u8(UInt8(ascii: "t")).u8(bool ? 1 : 0)
        case .table(let entries): u8(UInt8(ascii: "F")).table(entries)
        case .array(let values):
            u8(UInt8(ascii: "A")).long(values.reduce(WireWriter()) { $0.value($1) }.bytes)
        }
    }

    static func frame(_ type: UInt8, _ channel: UInt16, _ payload: [UInt8]) -> [UInt8] {
        WireWriter().u8(type).u16(channel).long(payload).u8(0xCE).bytes
    }

    static func method(
        _ classID: UInt16, _ methodID: UInt16, on channel: UInt16, _ arguments: WireWriter = WireWriter()
    ) -> [UInt8] {
        frame(1, channel, WireWriter().u16(classID).u16(methodID).adding(arguments.bytes).bytes)
    }
}
