import Glibc

@testable import ActorBus

/// One connection that a ``FakeBroker`` has accepted: blocking reads and writes of raw bytes, with a deadline on each.
final class FakePeer: Sendable {
    struct Frame {
        var type: UInt8
        var channel: UInt16
        var payload: [UInt8]

        /// Class and method, of a method frame.
        var number: [UInt16] {
            guard type == 1, payload.count >= 4 else { return [] }
            return [UInt16(payload[0]) << 8 | UInt16(payload[1]), UInt16(payload[2]) << 8 | UInt16(payload[3])]
        }

        /// The queue that a queue.declare or a basic.consume names; empty for every other frame.
        var queue: String {
            guard [[50, 10], [60, 20]].contains(number), payload.count > 7 else { return "" }
            return String(decoding: payload[7...].prefix(Int(payload[6])), as: UTF8.self)
        }

        /// The tag that a basic.consume asks for; empty for every other frame.
        var consumerTag: String {
            guard number == [60, 20], payload.count > 7 else { return "" }
            let rest = payload[7...].dropFirst(Int(payload[6]))
            guard let length = rest.first else { return "" }
            return String(decoding: rest.dropFirst().prefix(Int(length)), as: UTF8.self)
        }
    }

    /// The client went away, or said nothing for the patience of the peer.
    struct Gone: Error {}

    let descriptor: CInt

    init(descriptor: CInt, patience: Duration) {
        self.descriptor = descriptor
        let (seconds, attoseconds) = patience.components
        var limit = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var one: CInt = 1
        _ = unsafe setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<CInt>.size))
    }

    func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Gone() }
            rest = rest.dropFirst(count)
        }
    }

    /// Sends each byte in a packet of its own.
    func sendOneByOne(_ bytes: [UInt8]) throws {
        for byte in bytes { try send([byte]) }
    }

    func read(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var have = 0
        while have < count {
            let length = unsafe bytes.withUnsafeMutableBytes {
                unsafe recv(descriptor, $0.baseAddress! + have, count - have, 0)
            }
            guard length > 0 else { throw Gone() }
            have += length
        }
        return bytes
    }

    func readProtocolHeader() throws { _ = try read(8) }

    /// The next frame that is no heartbeat.
    func readFrame() throws -> Frame {
        while true {
            let head = try read(7)
            let size = head[3...6].reduce(0) { $0 << 8 | Int($1) }
            let rest = try read(size + 1)
            if head[0] == 8 { continue }
            return Frame(type: head[0], channel: UInt16(head[1]) << 8 | UInt16(head[2]), payload: rest.dropLast())
        }
    }

    /// Reads until the client says this method; other frames are dropped.
    @discardableResult
    func wait(for number: [UInt16]) throws -> Frame {
        while true {
            let frame = try readFrame()
            if frame.number == number { return frame }
        }
    }

    /// Reads until the client goes away, or for as long as the peer's patience.
    func waitForEnd() {
        while (try? read(1)) != nil {}
    }

    /// Does what a broker does up to connection.open-ok.
    func login(channelMax: UInt16 = 2047, frameMax: UInt32 = 131_072, heartbeat: UInt16 = 0) throws {
        try readProtocolHeader()
        try send(Wire.start())
        try wait(for: [10, 11])
        try send(Wire.tune(channelMax: channelMax, frameMax: frameMax, heartbeat: heartbeat))
        try wait(for: [10, 40])
        try send(Wire.openOk())
    }

    /// Answers everything as a broker would, publishes with confirms, until the client closes the connection or goes away. `other` may
    /// take a frame's answer on itself, by returning true.
    func serve(_ other: (Frame) throws -> Bool = { _ in false }) throws {
        var published: [UInt16: UInt64] = [:]
        while true {
            let frame = try readFrame()
            if frame.number == [60, 40] { published[frame.channel, default: 0] += 1 }
            if try other(frame) { continue }
            switch frame.number {
            case [10, 50]: return try send(Wire.method(10, 51))
            case [20, 10]:
                published[frame.channel] = nil
                try send(Wire.channelOpenOk(frame.channel))
            case [20, 40]: try send(Wire.method(20, 41, channel: frame.channel))
            case [40, 10]: try send(Wire.method(40, 11, channel: frame.channel))
            case [50, 10]: try send(Wire.method(50, 11, channel: frame.channel, WireBytes().short("q").u32(0).u32(0)))
            case [50, 20]: try send(Wire.method(50, 21, channel: frame.channel))
            case [60, 10]: try send(Wire.method(60, 11, channel: frame.channel))
            case [60, 20]: try send(Wire.consumeOk(frame.channel, tag: "t"))
            case [60, 30]: try send(Wire.method(60, 31, channel: frame.channel, WireBytes().short("t")))
            case [85, 10]: try send(Wire.method(85, 11, channel: frame.channel))
            case [60, 40]: try send(Wire.ack(frame.channel, published[frame.channel]!))
            default: break
            }
        }
    }
}
