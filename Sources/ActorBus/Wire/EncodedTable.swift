/// A look at a field table as it stands on the wire, before rabbitmq-c decodes it: whether it is well formed, how deep,
/// and how many values it has.
///
/// rabbitmq-c recurses once a level, so a table some 20,000 deep, which a real broker relays, overflows a thread's
/// stack. This walk keeps its own stack instead.
enum EncodedTable {
    /// Why the table cannot be decoded, or nil when it can. `bytes` begins with the table's length.
    static func fault(in bytes: UnsafeRawBufferPointer) -> String? {
        guard let length = unsafe prefix(at: 0, in: bytes), length + 4 <= bytes.count else { return "cut off" }
        /// The tables and arrays around the place where the walk is: their ends, and whether their values have keys.
        var open: [(end: Int, hasKeys: Bool)] = [(length + 4, true)]
        var position = 4
        var count = 0
        while let scope = open.last {
            if position == scope.end {
                open.removeLast()
                continue
            }
            if scope.hasKeys {
                position += 1 + Int(unsafe bytes[position])
                guard position < scope.end else { return "a key is cut off" }
            }
            let kind = unsafe bytes[position]
            position += 1
            count += 1
            guard count <= FieldValue.maximumCount else { return "it has more than \(FieldValue.maximumCount) values" }
            switch kind {
            case UInt8(ascii: "V"): break
            case UInt8(ascii: "t"), UInt8(ascii: "b"), UInt8(ascii: "B"): position += 1
            case UInt8(ascii: "s"), UInt8(ascii: "u"): position += 2
            case UInt8(ascii: "I"), UInt8(ascii: "i"), UInt8(ascii: "f"): position += 4
            case UInt8(ascii: "D"): position += 5
            case UInt8(ascii: "l"), UInt8(ascii: "L"), UInt8(ascii: "d"), UInt8(ascii: "T"): position += 8
            case UInt8(ascii: "S"), UInt8(ascii: "x"):
                guard let length = unsafe prefix(at: position, in: bytes) else { return "a value is cut off" }
                position += 4 + length
            case UInt8(ascii: "F"), UInt8(ascii: "A"):
                guard let length = unsafe prefix(at: position, in: bytes), position + 4 + length <= scope.end else {
                    return "a value is cut off"
                }
                guard open.count < FieldValue.maximumDepth else {
                    return "nested more than \(FieldValue.maximumDepth) deep"
                }
                position += 4
                open.append((position + length, kind == UInt8(ascii: "F")))
            default:
                return "a value of the unknown type \(kind)"
            }
            guard position <= open[open.count - 1].end else { return "a value is cut off" }
        }
        return nil
    }

    /// The table's size with its length, or nil when there is not even that.
    static func size(in bytes: UnsafeRawBufferPointer) -> Int? {
        guard let length = unsafe prefix(at: 0, in: bytes), length + 4 <= bytes.count else { return nil }
        return length + 4
    }

    /// A 32-bit length in network order, nil when it is cut off or points beyond `bytes`.
    private static func prefix(at position: Int, in bytes: UnsafeRawBufferPointer) -> Int? {
        guard position + 4 <= bytes.count else { return nil }
        let length = unsafe UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self))
        return Int(exactly: length).flatMap { $0 <= bytes.count ? $0 : nil }
    }
}
