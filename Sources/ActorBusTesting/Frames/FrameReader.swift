/// Takes bytes apart into frames (AMQP 0-9-1 section 4.2.3), however they are cut.
struct FrameReader {
    struct Frame {
        var type: UInt8
        var channel: UInt16
        var payload: [UInt8]
    }

    /// What cannot be read any further.
    enum Fault: Error {
        case tooLarge(type: UInt8, channel: UInt16, size: Int)
        case noEnd(Frame, marker: UInt8)
    }

    private var bytes: [UInt8] = []
    private var head = 0

    /// Whether all bytes are taken.
    var isEmpty: Bool { head == bytes.count }

    mutating func append(_ more: some Sequence<UInt8>) {
        if head > 0, head == bytes.count {
            bytes.removeAll(keepingCapacity: true)
            head = 0
        }
        bytes += more
    }

    /// The eight bytes with which a client begins; nil until they are there.
    mutating func takeProtocolHeader() -> [UInt8]? {
        guard bytes.count - head >= 8 else { return nil }
        defer { head += 8 }
        return Array(bytes[head..<head + 8])
    }

    /// The next whole frame; nil when more bytes are needed. `limit` is the largest payload.
    mutating func next(limit: Int) throws(Fault) -> Frame? {
        guard bytes.count - head >= 7 else { return nil }
        let type = bytes[head]
        let channel = UInt16(bytes[head + 1]) << 8 | UInt16(bytes[head + 2])
        let size = bytes[head + 3...head + 6].reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        guard size <= UInt64(limit) else {
            throw .tooLarge(type: type, channel: channel, size: Int(clamping: size))
        }
        let length = Int(size)
        guard bytes.count - head >= length + 8 else { return nil }
        let start = head + 7
        let frame = Frame(type: type, channel: channel, payload: Array(bytes[start..<start + length]))
        let marker = bytes[start + length]
        guard marker == 0xCE else { throw .noEnd(frame, marker: marker) }
        head = start + length + 1
        if head > 1 << 20 {
            bytes.removeFirst(head)
            head = 0
        }
        return frame
    }
}
