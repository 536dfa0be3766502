internal import CRabbitMQ

/// The server's side of the codec: reads what a client sends, and writes what a server answers, as bytes of frames.
package final class ServerCodec {
    private let pool = WirePool()
    private let names = NameCache()

    package init() {}

    /// The protocol header with which a client begins, and with which a server answers one of another version.
    package static let protocolHeader: [UInt8] = [0x41, 0x4D, 0x51, 0x50, 0, 0, 9, 1]

    /// A content header: how long the body is, and the properties, also as they stood on the wire.
    package struct ContentHeader {
        package var classID: UInt16
        package var bodySize: UInt64
        package var encodedProperties: [UInt8]
        package var properties: MessageProperties
    }

    /// A method frame's payload, decoded; the method is nil when it is unknown or malformed.
    package func decodeMethod(_ payload: [UInt8]) -> (number: UInt32, method: ClientMethod?)? {
        defer { pool.recycle() }
        return unsafe payload.withUnsafeBytes { payload -> (UInt32, ClientMethod?)? in
            guard payload.count >= 4 else { return nil }
            let number = unsafe UInt32(bigEndian: payload.loadUnaligned(as: UInt32.self))
            let arguments = unsafe UnsafeRawBufferPointer(rebasing: payload[4...])
            return unsafe (number, ClientMethod.decode(number, arguments, pool: pool))
        }
    }

    /// A header frame's payload, decoded; nil when it is malformed.
    package func decodeContentHeader(_ payload: [UInt8]) -> ContentHeader? {
        defer { pool.recycle() }
        return unsafe payload.withUnsafeBytes { bytes -> ContentHeader? in
            guard bytes.count >= 14 else { return nil }
            let classID = unsafe UInt16(bigEndian: bytes.loadUnaligned(as: UInt16.self))
            let size = unsafe UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt64.self))
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[12...])
            guard let decoded = unsafe PropertiesCodec.decode(rest, pool: pool, names: names),
                decoded.headersFault == nil
            else { return nil }
            return unsafe ContentHeader(
                classID: classID, bodySize: size, encodedProperties: Array(rest), properties: decoded.properties)
        }
    }

    /// Appends a method frame. Throws ``AMQPError/Code/invalidMessage`` when it does not fit.
    package func append(
        _ method: ServerMethod, channel: UInt16, frameMax: Int, to output: inout [UInt8]
    ) throws(AMQPError) {
        defer { pool.recycle() }
        var room = 2048
        while true {
            let payload = Room(room)
            if let length = try unsafe method.encode(into: payload.bytes, pool: pool) {
                return appendFrame(UInt8(AMQP_FRAME_METHOD), channel, payload.prefix(length)[...], to: &output)
            }
            guard room < frameMax else {
                throw AMQPError(.invalidMessage, "a method does not fit in a frame of \(frameMax) bytes")
            }
            room = min(room * 8, frameMax)
        }
    }

    /// Appends the frames of a message's content, with properties that are already encoded.
    package func appendContent(
        encodedProperties: [UInt8], body: [UInt8], channel: UInt16, frameMax: Int, to output: inout [UInt8]
    ) {
        var header: [UInt8] = [0, UInt8(AMQP_BASIC_CLASS), 0, 0]
        let size = UInt64(body.count)
        for shift in stride(from: 56, through: 0, by: -8) { header.append(UInt8(truncatingIfNeeded: size >> shift)) }
        header += encodedProperties
        appendFrame(UInt8(AMQP_FRAME_HEADER), channel, header[...], to: &output)
        var position = 0
        while position < body.count {
            let end = min(body.count, position + frameMax - 8)
            appendFrame(UInt8(AMQP_FRAME_BODY), channel, body[position..<end], to: &output)
            position = end
        }
    }

    package func appendHeartbeat(to output: inout [UInt8]) {
        appendFrame(UInt8(AMQP_FRAME_HEARTBEAT), 0, [], to: &output)
    }

    /// The property list of a content header. Throws ``AMQPError/Code/invalidMessage`` for what cannot be encoded.
    package func encodeProperties(_ properties: MessageProperties) throws(AMQPError) -> [UInt8] {
        defer { pool.recycle() }
        var room = 4096
        while true {
            let target = Room(room)
            if let length = try unsafe PropertiesCodec.encode(properties, into: target.bytes, pool: pool) {
                return target.prefix(length)
            }
            guard room < 16 << 20 else {
                throw AMQPError(.invalidMessage, "the properties of a message have more than \(room) bytes")
            }
            room *= 8
        }
    }

    private func appendFrame(_ type: UInt8, _ channel: UInt16, _ payload: ArraySlice<UInt8>, to output: inout [UInt8]) {
        let size = UInt32(payload.count)
        output.append(type)
        output.append(UInt8(channel >> 8))
        output.append(UInt8(channel & 0xFF))
        for shift in stride(from: 24, through: 0, by: -8) { output.append(UInt8(truncatingIfNeeded: size >> shift)) }
        output += payload
        output.append(UInt8(AMQP_FRAME_END))
    }

    /// Memory to encode into.
    @safe private final class Room {
        let bytes: UnsafeMutableRawBufferPointer

        init(_ count: Int) { unsafe bytes = .allocate(byteCount: count, alignment: 16) }

        deinit { unsafe bytes.deallocate() }

        func prefix(_ length: Int) -> [UInt8] { unsafe Array(bytes[..<length]) }
    }
}
