import Testing

@testable import ActorBus

@Suite(.timeLimit(.minutes(5))) struct ReceiveBufferTests {
    private struct Seen: Equatable {
        var type: UInt8
        var channel: UInt16
        var payload: [UInt8]
        var cutFrom: UInt32?
    }

    /// Reads until `count` frames came, or an error.
    private func receive(_ count: Int, from pair: SocketPair, _ buffer: ReceiveBuffer, frameMax: Int = 131_072) throws
        -> [Seen]
    {
        var seen: [Seen] = []
        let deadline = ContinuousClock.now + .seconds(20)
        while seen.count < count, ContinuousClock.now < deadline {
            _ = try buffer.fill(from: pair.socket)
            while let frame = try unsafe buffer.nextFrame(frameMax: frameMax) {
                unsafe seen.append(Seen(type: frame.type, channel: frame.channel, payload: Array(frame.payload)))
            }
            buffer.shrinkWhenEmpty()
        }
        return seen
    }

    @Test func framesCutAnywhereAreWhole() throws {
        let bytes =
            Wire.frame(1, channel: 1, [1, 2, 3]) + Wire.frame(8, [])
            + Wire.frame(3, channel: 65_535, Array(repeating: 9, count: 300))
        for cut in 0...bytes.count {
            let pair = try SocketPair()
            let buffer = ReceiveBuffer()
            pair.write(Array(bytes[..<cut]))
            let whole = cut >= 11 ? (cut >= 19 ? (cut == bytes.count ? 3 : 2) : 1) : 0
            var seen = try receive(whole, from: pair, buffer)
            #expect(seen.count == whole)
            pair.write(Array(bytes[cut...]))
            seen += try receive(3 - whole, from: pair, buffer)
            #expect(seen.map(\.payload.count) == [3, 0, 300])
            #expect(seen.map(\.channel) == [1, 0, 65_535])
        }
    }

    @Test func framesOfEverySizeUpToTheAgreedComeThrough() throws {
        let pair = try SocketPair()
        let buffer = ReceiveBuffer()
        for size in [0, 1, 65_528, 65_529, 65_536, 131_064, 3, 131_064, 131_064] {
            let payload = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
            pair.write(Wire.frame(3, channel: 2, payload))
            #expect(try receive(1, from: pair, buffer) == [Seen(type: 3, channel: 2, payload: payload)])
        }
    }

    @Test(
        arguments: [
            Wire.frame(1, Array(repeating: 0, count: 4_089)), [1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0],
            [1, 0, 0, 0x7F, 0xFF, 0xFF, 0xF8, 0], [8, 0, 0, 0x7F, 0xFF, 0xFF, 0xF8, 0],
            [1, 0, 0, 0, 0, 0, 0, 0xCD], [0, 0, 0, 0, 0, 0, 0, 0xCE], [4, 0, 0, 0, 0, 0, 0, 0xCE],
            Array("HTTP/1.1 400 Bad Request".utf8),
            Array("AMQP".utf8) + [0, 0, 9, 1], [0x15, 3, 3, 0, 2, 2, 40, 0],
        ] as [[UInt8]])
    func whatIsNoFrameIsAProtocolViolation(bytes: [UInt8]) throws {
        let pair = try SocketPair()
        pair.write(bytes)
        #expect { try receive(1, from: pair, ReceiveBuffer(), frameMax: 4_096) } throws: {
            ($0 as? AMQPError)?.code == .protocolViolation
        }
    }

    /// A TLS port says to what is no TLS, and is no frame: an alert of seven bytes.
    @Test func anAlertOfTLSIsKnown() {
        let error = #expect(throws: AMQPError.self) { try receiveAll([21, 3, 3, 0, 2, 2, 70]) }
        #expect(error?.message.contains("speaks TLS") == true)
    }

    /// A broker sends ones beyond the agreed size where it added headers of its own, or its frame_max was lowered.
    @Test(arguments: [4_089, 20_000, 131_065, 1 << 20])
    func contentHeadersBeyondTheAgreedSizeAreRead(size: Int) throws {
        let header = Sample.bytes(size)
        let seen = try receiveAll(Wire.frame(2, channel: 3, header) + Wire.frame(8, []))
        let isSame = seen == [Seen(type: 2, channel: 3, payload: header), Seen(type: 8, channel: 0, payload: [])]
        #expect(isSame)
    }

    /// Of one that is too long its beginning is told, which has the body's size, and the next frame is read.
    @Test(arguments: [(1 << 20) + 1, 5_000_000])
    func aContentHeaderThatIsTooLongIsSkipped(size: Int) throws {
        let header = Sample.bytes(size)
        let seen = try receiveAll(
            Wire.frame(2, channel: 3, header) + Wire.frame(3, channel: 3, [7]) + Wire.frame(8, []))
        #expect(seen.map(\.type) == [2, 3, 8])
        #expect(seen[0].payload == Array(header.prefix(14)) && seen[0].cutFrom == UInt32(size))
        #expect(seen[1].payload == [7] && seen[1].cutFrom == nil)
    }

    @Test(arguments: [4_089, 131_065, 3_000_000])
    func bodyFramesBeyondTheAgreedSizeComeInPieces(size: Int) throws {
        let body = Sample.bytes(size)
        let seen = try receiveAll(Wire.frame(3, channel: 3, body) + Wire.frame(8, []))
        #expect(seen.last?.type == 8)
        #expect(seen.dropLast().allSatisfy { $0.type == 3 && $0.channel == 3 && !$0.payload.isEmpty })
        let isSame = seen.dropLast().reduce(into: []) { $0 += $1.payload } == body
        #expect(isSame)
    }

    @Test(arguments: [(2, 5_000), (2, (1 << 20) + 1), (3, 5_000), (3, 3_000_000)])
    func aLongFrameWithoutItsEndIsAViolation(type: Int, size: Int) throws {
        let bytes = Array(Wire.frame(UInt8(type), Sample.bytes(size)).dropLast()) + [0]
        #expect { try receiveAll(bytes) } throws: { ($0 as? AMQPError)?.code == .protocolViolation }
    }

    /// Everything in `bytes`, by a buffer for frames of 4,096 bytes.
    private func receiveAll(_ bytes: [UInt8]) throws -> [Seen] {
        let pair = try SocketPair()
        let buffer = ReceiveBuffer()
        var seen: [Seen] = []
        var (written, read) = (0, 0)
        while read < bytes.count {
            if written < bytes.count {
                let chunk = Array(bytes[written..<min(bytes.count, written + 50_021)])
                pair.write(chunk)
                written += chunk.count
            }
            read += try buffer.fill(from: pair.socket).count
            while let frame = try unsafe buffer.nextFrame(frameMax: 4_096) {
                unsafe seen.append(
                    Seen(
                        type: frame.type, channel: frame.channel, payload: Array(frame.payload),
                        cutFrom: frame.cutFrom))
            }
            buffer.shrinkWhenEmpty()
        }
        return seen
    }

    @Test func theEndOfTheStreamIsALostConnection() throws {
        let pair = try SocketPair()
        pair.write([1, 0, 0])
        pair.closePeer()
        #expect { try receive(1, from: pair, ReceiveBuffer()) } throws: { ($0 as? AMQPError)?.code == .connectionLost }
    }

    @Test(arguments: 0..<10 as Range<UInt64>)
    func randomChunksOfManyFramesAreWhole(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let pair = try SocketPair()
        let buffer = ReceiveBuffer()
        let frames = (0..<100).map { number in
            Seen(
                type: 3, channel: UInt16(number),
                payload: Array(repeating: UInt8(number), count: Int.random(in: 0..<9_000, using: &random)))
        }
        var rest = frames.flatMap { Wire.frame($0.type, channel: $0.channel, $0.payload) }[...]
        var seen: [Seen] = []
        while !rest.isEmpty {
            let chunk = rest.prefix(Int.random(in: 1...20_000, using: &random))
            pair.write(Array(chunk))
            rest = rest.dropFirst(chunk.count)
            seen += try receive(0, from: pair, buffer)
            _ = try buffer.fill(from: pair.socket)
            while let frame = try unsafe buffer.nextFrame(frameMax: 131_072) {
                unsafe seen.append(Seen(type: frame.type, channel: frame.channel, payload: Array(frame.payload)))
            }
        }
        seen += try receive(frames.count - seen.count, from: pair, buffer)
        #expect(seen == frames)
    }
}
