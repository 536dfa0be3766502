internal import CRabbitMQ
internal import Glibc

/// Frames on their way to the socket. A turn of the connection's loop encodes all it has into here and writes once.
@safe final class SendBuffer {
    private var storage: UnsafeMutableRawPointer
    private var capacity: Int
    private var head = 0
    private var tail = 0
    private var peak = PeakUse()
    /// How many bytes the socket has taken so far.
    private(set) var written: UInt64 = 0
    private let pool = WirePool()

    private static let smallest = 16 << 10
    /// A frame is a type, a channel and a length before its payload, and an end octet after it.
    private static let frameOverhead = 8
    /// More than the longest method that has no table: basic.publish with two full names.
    private static let plainMethod = 1024

    init() {
        capacity = Self.smallest
        unsafe storage = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { unsafe storage.deallocate() }

    var isEmpty: Bool { head == tail }
    var count: Int { tail - head }
    /// How many bytes were ever put in.
    var appended: UInt64 { written + UInt64(count) }

    /// The protocol header that opens a connection (AMQP 0-9-1 section 4.2.2).
    func appendProtocolHeader() {
        reserve(8)
        let header: [UInt8] = [0x41, 0x4D, 0x51, 0x50, 0, 0, 9, 1]
        unsafe header.withUnsafeBytes { unsafe (storage + tail).copyMemory(from: $0.baseAddress!, byteCount: 8) }
        tail += 8
    }

    func appendHeartbeat() {
        reserve(Self.frameOverhead)
        closeFrame(type: UInt8(AMQP_FRAME_HEARTBEAT), channel: 0, payload: 0)
    }

    /// Appends a method frame; throws ``AMQPError/Code/invalidMessage``, and appends nothing, when it cannot be encoded
    /// in a frame.
    func append(_ method: OutgoingMethod, channel: UInt16, frameMax: Int) throws(AMQPError) {
        defer { pool.recycle() }
        var room = Self.plainMethod
        while true {
            reserve(room + Self.frameOverhead)
            if let length = try unsafe method.encode(into: payload(room), pool: pool) {
                closeFrame(type: UInt8(AMQP_FRAME_METHOD), channel: channel, payload: length)
                return
            }
            guard room < frameMax - Self.frameOverhead else {
                throw AMQPError(.invalidMessage, "a method does not fit in a frame of \(frameMax) bytes")
            }
            room = min(room * 16, frameMax - Self.frameOverhead)
        }
    }

    /// Appends a whole message: basic.publish, header and body. When any part of it cannot be encoded it throws
    /// ``AMQPError/Code/invalidMessage`` and appends nothing, since half a message would be a protocol error.
    func append(
        _ message: Message, exchange: String, routingKey: String, mandatory: Bool, channel: UInt16, frameMax: Int
    ) throws(AMQPError) {
        let start = tail - head
        try appendBeginning(
            of: message, exchange: exchange, routingKey: routingKey, mandatory: mandatory, channel: channel,
            frameMax: frameMax)
        var position: Int64 = 0
        do {
            while position < message.bodySize {
                position += try appendBodyFrame(of: message, from: position, channel: channel, frameMax: frameMax)
            }
        } catch {
            tail = head + start
            throw error
        }
    }

    /// Appends basic.publish and header, behind which the body has to follow, frame by frame. Throws
    /// ``AMQPError/Code/invalidMessage``, and appends nothing, when either cannot be encoded.
    func appendBeginning(
        of message: Message, exchange: String, routingKey: String, mandatory: Bool, channel: UInt16, frameMax: Int
    ) throws(AMQPError) {
        defer { pool.recycle() }
        let start = tail - head
        do {
            try append(
                .basicPublish(exchange: exchange, routingKey: routingKey, mandatory: mandatory), channel: channel,
                frameMax: frameMax)
            try appendHeader(of: message, channel: channel, frameMax: frameMax)
        } catch {
            tail = head + start
            throw error
        }
    }

    /// Appends one frame of a body, and returns how many of its bytes. Throws, and appends nothing, when a body that is
    /// not in memory cannot be read.
    func appendBodyFrame(
        of message: Message, from position: Int64, channel: UInt16, frameMax: Int
    ) throws(AMQPError) -> Int64 {
        let length = Int(min(message.bodySize - position, Int64(frameMax - Self.frameOverhead)))
        reserve(length + Self.frameOverhead)
        let target = unsafe payload(length)
        switch message.content {
        case .bytes(let bytes):
            unsafe bytes.withUnsafeBytes { body in
                // In memory, so its positions are those of an array.
                let start = unsafe body.baseAddress! + Int(position)
                unsafe target.copyMemory(from: UnsafeRawBufferPointer(start: start, count: length))
            }
        case .large(let body): try unsafe body.read(into: target, at: position)
        }
        closeFrame(type: UInt8(AMQP_FRAME_BODY), channel: channel, payload: length)
        return Int64(length)
    }

    /// Writes as much as the socket takes. Throws ``AMQPError/Code/connectionLost``.
    func write(to stream: some ByteStream) throws(AMQPError) {
        peak.note(tail - head)
        while head < tail {
            let taken = try unsafe stream.write(UnsafeRawBufferPointer(start: storage + head, count: tail - head))
            guard taken > 0 else { return }
            head += taken
            written += UInt64(taken)
        }
        head = 0
        tail = 0
        // More than the window of one turn is for a large message, which must not hold its memory.
        let enough = capacity > 4 << 20 ? Self.smallest : peak.capacity(from: capacity, smallest: Self.smallest)
        if enough < capacity { resize(to: enough) }
    }

    private func appendHeader(of message: Message, channel: UInt16, frameMax: Int) throws(AMQPError) {
        // class, weight, body size, then flags and properties
        let fixed = 12
        var room = Self.plainMethod
        while true {
            reserve(room + Self.frameOverhead)
            let payload = unsafe payload(room)
            unsafe payload.storeBytes(of: UInt16(AMQP_BASIC_CLASS).bigEndian, as: UInt16.self)
            unsafe payload.storeBytes(of: 0, toByteOffset: 2, as: UInt16.self)
            unsafe payload.storeBytes(of: message.bodySize.bigEndian, toByteOffset: 4, as: Int64.self)
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: payload[fixed...])
            if let length = try unsafe PropertiesCodec.encode(message.properties, into: rest, pool: pool) {
                closeFrame(type: UInt8(AMQP_FRAME_HEADER), channel: channel, payload: fixed + length)
                return
            }
            guard room < frameMax - Self.frameOverhead else {
                throw AMQPError(
                    .invalidMessage, "the message's properties do not fit in a frame of \(frameMax) bytes",
                    remedy: "move what is large from the headers to the body")
            }
            room = min(room * 16, frameMax - Self.frameOverhead)
        }
    }

    /// The place for the payload of the frame that begins at the end of the buffer.
    private func payload(_ room: Int) -> UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(start: storage + tail + 7, count: room)
    }

    /// Puts head and end around a payload that is already in its place.
    private func closeFrame(type: UInt8, channel: UInt16, payload length: Int) {
        let frame = unsafe storage + tail
        unsafe frame.storeBytes(of: type, as: UInt8.self)
        unsafe frame.storeBytes(of: channel.bigEndian, toByteOffset: 1, as: UInt16.self)
        unsafe frame.storeBytes(of: UInt32(length).bigEndian, toByteOffset: 3, as: UInt32.self)
        unsafe frame.storeBytes(of: UInt8(AMQP_FRAME_END), toByteOffset: 7 + length, as: UInt8.self)
        tail += length + Self.frameOverhead
    }

    private func reserve(_ room: Int) {
        guard tail + room > capacity else { return }
        if head > 0 {
            unsafe memmove(storage, storage + head, tail - head)
            tail -= head
            head = 0
        }
        if tail + room > capacity { resize(to: max(capacity * 2, tail + room)) }
    }

    private func resize(to newCapacity: Int) {
        let larger = UnsafeMutableRawPointer.allocate(byteCount: newCapacity, alignment: 16)
        if tail > head { unsafe larger.copyMemory(from: storage + head, byteCount: tail - head) }
        unsafe storage.deallocate()
        unsafe storage = larger
        capacity = newCapacity
        tail -= head
        head = 0
    }
}
