internal import CRabbitMQ
internal import Glibc

/// What has come from the socket and is not yet taken apart into frames.
@safe final class ReceiveBuffer {
    private var storage: UnsafeMutableRawPointer
    private var capacity: Int
    private var head = 0
    private var tail = 0
    private var peak = PeakUse()

    /// What is still to come of a frame that is handed out in pieces.
    private var unfinished: Unfinished?

    private struct Unfinished {
        let type: UInt8
        let channel: UInt16
        var missing: UInt32
        /// Whether the rest of it is of no use.
        let isSkipped: Bool
    }

    private static let smallest = 64 << 10
    /// What a buffer that is larger than this has, and nothing in it, was for a rare frame.
    private static let largestKept = 1 << 20
    /// The longest content header that is read. RabbitMQ sends ones beyond the agreed frame size: where it added headers
    /// of its own (`x-death`, `x-delivery-count`), and where its `frame_max` was lowered after they were stored.
    static let longestHeader = 1 << 20
    /// Class, weight and body size of a content header, and the first flags.
    private static let headerStart = 14

    init() {
        capacity = Self.smallest
        unsafe storage = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { unsafe storage.deallocate() }

    /// A frame as it lies in the buffer; it is gone with the next call of `fill`. A body frame longer than agreed comes as
    /// several, and of a content header that is too long the beginning only.
    @unsafe struct Frame {
        var type: UInt8
        var channel: UInt16
        var payload: UnsafeRawBufferPointer
        /// Of a content header that is too long, its length.
        var cutFrom: UInt32?
    }

    /// Reads once. Returns how many bytes came, and whether the socket may have more.
    func fill(from stream: some ByteStream) throws(AMQPError) -> (count: Int, mayHaveMore: Bool) {
        if head == tail {
            head = 0
            tail = 0
        }
        let room = capacity - tail
        let count = try unsafe stream.read(into: UnsafeMutableRawBufferPointer(start: storage + tail, count: room))
        tail += count
        peak.note(tail - head)
        return (count, count == room)
    }

    /// The next whole frame, or nil when more has to be read. Throws ``AMQPError/Code/protocolViolation`` for what is
    /// no frame.
    func nextFrame(frameMax: Int) throws(AMQPError) -> Frame? {
        while let unfinished {
            if let piece = unsafe try nextPiece(of: unfinished) { return unsafe piece }
            guard self.unfinished == nil else { return nil }
        }
        let available = tail - head
        // A record of TLS begins with its type and the version 3.x (RFC 8446 section 5.1); an alert has seven bytes in all.
        if available >= 2, unsafe (20...23).contains((storage + head).load(as: UInt8.self)),
            unsafe (storage + head).load(fromByteOffset: 1, as: UInt8.self) == 3
        {
            throw AMQPError(
                .protocolViolation, "the broker speaks TLS at this port",
                remedy: "use amqps://, or RabbitMQ's port without TLS (5672 by default)")
        }
        guard available >= 8 else {
            makeRoom(for: 8)
            return nil
        }
        let start = unsafe storage + head
        let type = unsafe start.load(as: UInt8.self)
        let channel = unsafe UInt16(bigEndian: start.loadUnaligned(fromByteOffset: 1, as: UInt16.self))
        let size = unsafe UInt32(bigEndian: start.loadUnaligned(fromByteOffset: 3, as: UInt32.self))
        if type == UInt8(ascii: "A") {
            // A broker of another protocol version answers the protocol header with its own.
            throw AMQPError(
                .protocolViolation, "the broker does not speak AMQP 0-9-1",
                remedy: "check the port, and that the broker is RabbitMQ")
        }
        guard (1...3).contains(type) || type == UInt8(AMQP_FRAME_HEARTBEAT) else {
            throw AMQPError(
                .protocolViolation, "a frame of the unknown type \(type)",
                remedy: "check that the port is AMQP's")
        }
        if type == UInt8(AMQP_FRAME_BODY), size > UInt32(frameMax - 8) {
            head += 7
            unfinished = Unfinished(type: type, channel: channel, missing: size, isSkipped: false)
            return unsafe try nextFrame(frameMax: frameMax)
        }
        if type == UInt8(AMQP_FRAME_HEADER), size > UInt32(max(Self.longestHeader, frameMax - 8)) {
            guard available >= 7 + Self.headerStart else {
                makeRoom(for: 7 + Self.headerStart)
                return nil
            }
            head += 7 + Self.headerStart
            unfinished = Unfinished(
                type: type, channel: channel, missing: size - UInt32(Self.headerStart), isSkipped: true)
            return unsafe Frame(
                type: type, channel: channel,
                payload: UnsafeRawBufferPointer(start: start + 7, count: Self.headerStart), cutFrom: size)
        }
        let longest = type == UInt8(AMQP_FRAME_HEADER) ? max(Self.longestHeader, frameMax - 8) : frameMax - 8
        guard let size = Int(exactly: size), size <= longest else {
            throw AMQPError(.protocolViolation, "a frame of \(size) bytes, where \(frameMax) were agreed")
        }
        guard available >= size + 8 else {
            makeRoom(for: size + 8)
            return nil
        }
        guard unsafe start.load(fromByteOffset: 7 + size, as: UInt8.self) == UInt8(AMQP_FRAME_END) else {
            throw AMQPError(.protocolViolation, "a frame without its end octet")
        }
        head += size + 8
        return unsafe Frame(
            type: type, channel: channel, payload: UnsafeRawBufferPointer(start: start + 7, count: size))
    }

    /// The next piece of a frame that is handed out in several, or nil when more has to be read or the frame is over.
    private func nextPiece(of frame: Unfinished) throws(AMQPError) -> Frame? {
        let count = min(UInt32(clamping: tail - head), frame.missing)
        guard count > 0 || frame.missing == 0 && tail > head else { return nil }
        let start = unsafe storage + head
        guard frame.missing > 0 else {
            guard unsafe start.load(as: UInt8.self) == UInt8(AMQP_FRAME_END) else {
                throw AMQPError(.protocolViolation, "a frame without its end octet")
            }
            head += 1
            unfinished = nil
            return nil
        }
        head += Int(count)
        unfinished?.missing -= count
        if frame.isSkipped { return unsafe try nextPiece(of: unfinished ?? frame) }
        return unsafe Frame(
            type: frame.type, channel: frame.channel, payload: UnsafeRawBufferPointer(start: start, count: Int(count)))
    }

    /// Lets go of the memory that a large frame took.
    func shrinkWhenEmpty() {
        let enough =
            capacity > Self.largestKept ? Self.smallest : peak.capacity(from: capacity, smallest: Self.smallest)
        guard head == tail, enough < capacity else { return }
        unsafe storage.deallocate()
        capacity = enough
        unsafe storage = .allocate(byteCount: capacity, alignment: 16)
        head = 0
        tail = 0
    }

    /// Makes sure that a frame of `size` bytes, of which the first are here, can be completed in place.
    private func makeRoom(for size: Int) {
        guard head > 0 || size > capacity else { return }
        let count = tail - head
        if size > capacity {
            // Room for several, since the last one in the buffer is rarely whole, and then has to be moved.
            let enough = size > 256 << 10 ? size : 4 * size
            let larger = UnsafeMutableRawPointer.allocate(byteCount: enough, alignment: 16)
            unsafe larger.copyMemory(from: storage + head, byteCount: count)
            unsafe storage.deallocate()
            unsafe storage = larger
            capacity = enough
        } else {
            unsafe memmove(storage, storage + head, count)
        }
        head = 0
        tail = count
    }
}
