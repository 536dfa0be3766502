import Glibc
import Testing

@testable import ActorBus

/// Messages that are too large for something: each is handed over with what is known of it, and the next one follows on the
/// same connection.
@Suite(.timeLimit(.minutes(5))) struct LargeMessageTests {
    private static let t = "actorbus-1"

    /// The deliveries that come after `bytes`, which the broker sends on channel 1, and a small one behind them.
    private func deliveries(
        _ count: Int, frameMax: UInt32 = 131_072, _ configure: (inout ConnectionConfiguration) -> Void = { _ in },
        after bytes: @escaping @Sendable () -> [UInt8]
    ) async throws -> [Delivery] {
        try await withFakeBroker({ peer, _ in
            try peer.login(frameMax: frameMax)
            try peer.serve { frame in
                guard frame.number == [60, 20] else { return false }
                try peer.send(Wire.consumeOk(frame.channel, tag: Self.t))
                try peer.send(bytes())
                try peer.send(Wire.delivery(1, tag: Self.t, number: UInt64(count), body: [9]))
                return true
            }
        }) { broker in
            var configuration = broker.configuration
            configure(&configuration)
            let fixed = configuration
            return try await within(.seconds(30), "\(count) deliveries") {
                let connection = try await AMQPConnection.connect(fixed)
                var taken: [Delivery] = []
                for try await delivery in connection.deliveries(from: "q", prefetch: 10) {
                    taken.append(delivery)
                    if taken.count == count { break }
                }
                #expect(taken.last?.body == [9] && taken.last?.headersFault == nil)
                #expect(connection.status.recoveries == 0)
                await connection.close()
                return taken
            }
        }
    }

    private static func frames(_ body: [UInt8], of size: Int) -> [UInt8] {
        stride(from: 0, to: body.count, by: size).flatMap { Wire.body(1, Array(body[$0..<min(body.count, $0 + size)])) }
    }

    @Test func aBodyAboveTheLimitIsDroppedAndTheNextMessageFollows() async throws {
        let body = Sample.bytes(300_000)
        let taken = try await deliveries(2) {
            $0.maximumBodySize = 200_000
        } after: {
            Wire.deliver(1, tag: Self.t, number: 1)
                + Wire.header(1, bodySize: 300_000, properties: WireBytes().u16(0x0080).short("id").bytes)
                + Self.frames(body, of: 100_000)
        }
        #expect(taken[0].body.isEmpty && taken[0].bodyFault?.contains("200000") == true)
        #expect(taken[0].message.largeBody?.size == 300_000)
        #expect(taken[0].message.largeBody?.sha256 == SHA256.digest(of: body))
        #expect(taken[0].properties.messageID == "id" && taken[0].message.bodySize == 300_000)
        #expect(taken[1].bodyFault == nil && taken[1].message.largeBody == nil)
    }

    @Test func aBodyAboveTheThresholdIsSpooledAndTheNextMessageFollows() async throws {
        let body = Sample.bytes(3_000_000)
        let taken = try await deliveries(2) {
            $0.spool = BodySpool(threshold: 1 << 20)
        } after: {
            Wire.deliver(1, tag: Self.t, number: 1) + Wire.header(1, bodySize: 3_000_000)
                + Self.frames(body, of: 131_064)
        }
        let large = try #require(taken[0].message.largeBody)
        #expect(taken[0].bodyFault == nil && large.sha256 == SHA256.digest(of: body))
        let isSame = try large.read(at: 0, count: 3_000_000) == body
        #expect(isSame)
    }

    /// As RabbitMQ does when it adds `x-death`, or when its frame_max was lowered.
    @Test(arguments: [(4_096, 20_000), (131_072, 131_500), (131_072, 1_000_000)])
    func headersBeyondTheFrameSizeAreRead(frameMax: Int, size: Int) async throws {
        let text = String(repeating: "x", count: size)
        let table = WireBytes().u32(UInt32(7 + size)).short("k").u8(UInt8(ascii: "S")).long(text)
        let taken = try await deliveries(2, frameMax: UInt32(frameMax)) {
            Wire.deliver(1, tag: Self.t, number: 1)
                + Wire.header(1, bodySize: 2, properties: WireBytes().u16(0x2000).raw(table.bytes).bytes)
                + Wire.body(1, [1, 2])
        }
        #expect(taken[0].headersFault == nil && taken[0].body == [1, 2])
        #expect(taken[0].properties.headers["k"]?.text == text)
    }

    @Test func headersThatAreTooLongAreLeftOutOfTheDelivery() async throws {
        let text = [UInt8](repeating: 7, count: 2_000_000)
        let table = WireBytes().u32(2_000_007).short("k").u8(UInt8(ascii: "S")).long(text)
        let properties = WireBytes().u16(0x2000).raw(table.bytes).bytes
        let taken = try await deliveries(2) {
            Wire.deliver(1, tag: Self.t, number: 1) + Wire.header(1, bodySize: 2, properties: properties)
                + Wire.body(1, [1, 2])
        }
        #expect(taken[0].headersFault?.contains("\(12 + properties.count)") == true)
        #expect(taken[0].body == [1, 2] && taken[0].properties.headers.isEmpty)
    }

    /// A value that takes one byte on the wire takes dozens in memory.
    @Test func headersWithTooManyValuesAreLeftOutOfTheDelivery() async throws {
        let count = FieldValue.maximumCount + 1
        let values = [UInt8](repeating: UInt8(ascii: "V"), count: count)
        let table = WireBytes().u32(UInt32(7 + count)).short("k").u8(UInt8(ascii: "A")).long(values)
        let taken = try await deliveries(2) {
            Wire.deliver(1, tag: Self.t, number: 1)
                + Wire.header(1, bodySize: 2, properties: WireBytes().u16(0x2000).raw(table.bytes).bytes)
                + Wire.body(1, [1, 2])
        }
        #expect(taken[0].headersFault?.contains("more than 65536 values") == true)
        #expect(taken[0].body == [1, 2])
    }

    @Test func aBodyFrameBeyondTheFrameSizeIsRead() async throws {
        let body = Sample.bytes(400_000)
        let taken = try await deliveries(2) {
            Wire.deliver(1, tag: Self.t, number: 1) + Wire.header(1, bodySize: 400_000) + Wire.body(1, body)
        }
        let isSame = taken[0].body == body
        #expect(isSame)
    }

    /// A server that reads bodies slowly, or not at all, and confirms a message when it has all of it.
    private func publishSlowly(
        _ size: Int, timeout: Duration, pause: @escaping @Sendable () -> Void, _ published: Tally,
        afterwards: () -> Void = {}
    ) async throws {
        try await withFakeBroker({ peer, _ in
            // So that the message waits here, and not in the system's buffers.
            var room: CInt = 64 << 10
            _ = unsafe setsockopt(
                peer.descriptor, SOL_SOCKET, SO_RCVBUF, &room, socklen_t(MemoryLayout<CInt>.size))
            try peer.login()
            var missing = size
            try peer.serve { frame in
                if frame.number == [60, 40] { published.add() }
                guard frame.type == 3 else { return frame.number == [60, 40] }
                missing -= frame.payload.count
                pause()
                if missing == 0 { try peer.send(Wire.ack(frame.channel, 1)) }
                return true
            }
        }) { broker in
            defer { afterwards() }
            try await within(.seconds(60), "a publish to a slow server") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let publisher = try await connection.publisher(timeout: timeout)
                try await publisher.publish(Message(body: Sample.bytes(size)), to: "x")
                #expect(connection.status.recoveries == 0)
                await connection.close()
            }
        }
    }

    /// To be written takes four times as long as the time-out.
    @Test func aSlowLinkIsNoReasonToGiveALargeMessageUp() async throws {
        let published = Tally()
        try await publishSlowly(12 << 20, timeout: .milliseconds(1_500), pause: { usleep(60_000) }, published)
        #expect(published.value == 1)
    }

    @Test func aLargeMessageThatDoesNotGetOnIsGivenUp() async throws {
        let (published, semaphore) = (Tally(), Semaphore())
        let error = await #expect(throws: AMQPError.self) {
            try await publishSlowly(24 << 20, timeout: .milliseconds(500), pause: { semaphore.wait() }, published) {
                semaphore.signal()
            }
        }
        #expect(error?.code == .maybePublished && published.value == 1)
    }

    /// A spooled body of which a part is gone costs its own publish, and neither the connection nor any other message.
    @Test(arguments: [0, 1, 999_999] as [off_t])
    func aSpooledBodyThatIsNotAllThereIsNotBegun(length: off_t) async throws {
        let file = try SpoolFile.make(
            for: BodySpool(), named: BodyStorage(ConnectionConfiguration()).fileName)
        let bytes = [UInt8](repeating: 1, count: Int(length))
        try unsafe bytes.withUnsafeBytes { try unsafe file.write($0, at: 0) }
        let body = LargeBody(size: 1_000_000, sha256: "", file: file)
        try await withFakeBroker({ peer, _ in
            try peer.login()
            try peer.serve()
        }) { broker in
            try await within(.seconds(20), "a publish behind one that cannot be read") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let publisher = try await connection.publisher()
                let error = await #expect(throws: AMQPError.self) {
                    try await publisher.publish(Message(.large(body), MessageProperties()), to: "x")
                }
                #expect(error?.code == .invalidMessage && error?.cause == .systemResource)
                try await publisher.publish(Message(text: "next"), to: "x")
                #expect(connection.status.recoveries == 0)
                await connection.close()
            }
        }
    }

    /// A disk that fails while the message is written costs the connection once, since nothing tries that body again.
    @Test func aSpooledBodyThatIsLostHalfwayIsNotTriedAgain() async throws {
        let size: Int64 = 8 << 20
        let folder = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
        let path = "\(folder)/\(unique("spooled"))"
        let file = try SpoolFile.opened(path, O_CREAT | O_EXCL)
        defer { _ = unsafe unlink(path) }
        try unsafe ([1] as [UInt8]).withUnsafeBytes { try unsafe file.write($0, at: size - 1) }
        let message = Lock<Message?>(nil)
        weak var body: LargeBody?
        do {
            let large = LargeBody(size: size, sha256: "", file: file)
            message.withLock { $0 = Message(.large(large), MessageProperties()) }
            body = large
        }
        let published = Tally()
        try await withFakeBroker({ peer, number in
            var room: CInt = 64 << 10
            _ = unsafe setsockopt(
                peer.descriptor, SOL_SOCKET, SO_RCVBUF, &room, socklen_t(MemoryLayout<CInt>.size))
            try peer.login()
            try peer.serve { frame in
                guard frame.number == [60, 40] else { return false }
                published.add()
                if number == 1 { _ = unsafe truncate(path, 0) }
                return number == 1
            }
        }) { broker in
            try await within(.seconds(20), "a publish behind one that was lost") {
                let connection = try await AMQPConnection.connect(broker.configuration)
                let publisher = try await connection.publisher()
                let error = await #expect(throws: AMQPError.self) {
                    let lost = try #require(message.withLock { $0.take() })
                    try await publisher.publish(lost, to: "x")
                }
                #expect(error?.code == .invalidMessage && error?.cause == .systemResource)
                try await publisher.publish(Message(text: "next"), to: "x")
                #expect(connection.status.recoveries == 1 && published.value == 2)
                await connection.close()
            }
        }
        try await eventually("nothing holds the message any more") { body == nil }
    }

    /// A large message is written piece by piece: what another channel sends goes in between, nothing comes between its
    /// own frames, and what is to be sent behind it on its channel waits.
    @Test func otherChannelsGoBetweenTheFramesOfALargeMessage() async throws {
        let order = Lock<[String]>([])
        let begun = Gate()
        let mayRead = Gate()
        try await withFakeBroker({ peer, _ in
            try peer.login(frameMax: 8_192)
            var first: UInt16?
            try peer.serve { frame in
                order.withLock { $0.append("\(frame.channel) \(frame.type) \(frame.number)") }
                if frame.number == [60, 40], first == nil {
                    first = frame.channel
                    begun.open()
                    // The socket fills up meanwhile, so the message is cut where it stands.
                    BlockingWait(mayRead).wait()
                }
                // Nothing is confirmed.
                return frame.number == [60, 40]
            }
        }) { broker in
            let configuration = broker.configuration
            try await within(.seconds(30), "the frames") {
                let connection = try await AMQPConnection.connect(configuration)
                let large = try await connection.publisher()
                let small = try await connection.publisher()
                let body = Sample.bytes(20 << 20)
                let sent = try await large.send(Message(body: body), to: "x")
                let behind = try await large.send(Message(text: "behind"), to: "x")
                await begun.pass()
                let other = try await small.send(Message(text: "small"), to: "x")
                mayRead.open()
                try await eventually("all is read") {
                    order.withLock { $0.count { $0.hasSuffix("[60, 40]") } } == 3
                        && order.withLock { $0.last?.contains(" 3 ") == true }
                }
                _ = (sent, behind, other)
                await connection.close()
            }
        }
        let seen = order.withLock { $0 }
        let largeChannel = try #require(seen.first { $0.hasSuffix("[60, 40]") }?.first)
        let publishes = seen.indices.filter { seen[$0].hasSuffix("[60, 40]") }
        let bodies = seen.indices.filter { seen[$0].first == largeChannel && seen[$0].contains(" 3 ") }
        // The other channel's message came while the large one was under way, the one behind it after its end.
        try #require(publishes.count == 3 && bodies.count >= 2)
        #expect(seen[publishes[1]].first != largeChannel && publishes[1] < bodies[bodies.count - 2])
        #expect(seen[publishes[2]].first == largeChannel && publishes[2] > bodies[bodies.count - 2])
        let own = seen.filter { $0.first == largeChannel && $0.contains(" 1 ") && !$0.hasSuffix("[60, 40]") }
        #expect(own.allSatisfy { $0.hasSuffix("[20, 10]") || $0.hasSuffix("[85, 10]") || $0.hasSuffix("[20, 40]") })
    }
}

/// Lets a thread of the fake broker wait for a gate.
private final class BlockingWait: Sendable {
    private let isOpen = Lock(false)

    init(_ gate: Gate) {
        Task {
            await gate.pass()
            isOpen.withLock { $0 = true }
        }
    }

    func wait() { while !isOpen.withLock({ $0 }) { usleep(1_000) } }
}
