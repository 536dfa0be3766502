import Testbed
import Testing

@testable import ActorBus

/// A sound stream of a server, with bytes flipped, cut out, doubled and put in: the client neither crashes nor hangs.
@Suite(.logsOnFailure, .timeLimit(.minutes(5))) struct FuzzTests {
    /// What a server says up to five deliveries, in the pieces that the client's own frames ask for.
    private static let pieces: [[UInt8]] = {
        let properties = WireBytes().u16(0xFFF8 & ~0x0004).short("text/plain").short("gzip").raw(
            EncodedTableTests.everyKind
        ).u8(2).u8(5)
            .short("c").short("r").short("1").short("id").u64(5).short("t").short("u").short("a").bytes
        var last = Wire.consumeOk(1, tag: "actorbus-1")
        for number in 1...5 as ClosedRange<UInt64> {
            last += Wire.deliver(1, tag: "actorbus-1", number: number)
            last += Wire.header(1, bodySize: 6, properties: properties)
            last += Wire.body(1, [1, 2]) + Wire.body(1, [3, 4, 5, 6])
        }
        return [
            Wire.start(properties: EncodedTableTests.everyKind), Wire.tune(heartbeat: 1), Wire.openOk(),
            Wire.channelOpenOk(1),
            Wire.method(60, 11, channel: 1), last,
        ]
    }()

    /// What the client says before it expects the next piece.
    private static let questions: [[UInt16]] = [[], [10, 11], [10, 40], [20, 10], [60, 10], [60, 20]]

    private static func mutated(seed: UInt64) -> [[UInt8]] {
        var random = SeededGenerator(seed: seed)
        var pieces = pieces
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            // The last piece is the longest, and the others end most attempts early.
            let piece = Int.random(in: 0..<10, using: &random) < 6 ? 5 : Int.random(in: 0..<5, using: &random)
            guard !pieces[piece].isEmpty else { continue }
            let position = Int.random(in: 0..<pieces[piece].count, using: &random)
            let end = min(pieces[piece].count, position + Int.random(in: 1...20, using: &random))
            switch Int.random(in: 0..<6, using: &random) {
            case 0: pieces[piece][position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: pieces[piece][position] = .random(in: 0...255, using: &random)
            case 2: pieces[piece].removeSubrange(position..<end)
            case 3: pieces[piece].insert(contentsOf: pieces[piece][position..<end], at: position)
            case 4:
                pieces[piece].insert(
                    contentsOf: (0..<4).map { _ in .random(in: 0...255, using: &random) }, at: position)
            default: pieces[piece].removeSubrange(position...)
            }
        }
        return pieces
    }

    @Test func theStreamItselfIsSound() async throws {
        let pieces = Self.pieces
        #expect(try await deliveries(over: pieces, isWhole: true) == 5)
    }

    @Test(arguments: 0..<16 as Range<UInt64>)
    func mutatedStreamsEndWithAnErrorOrWithDeliveries(part: UInt64) async throws {
        for seed in part * 150..<(part + 1) * 150 {
            let count = try await deliveries(over: Self.mutated(seed: seed))
            #expect((0...12).contains(count), "seed \(seed)")
        }
    }

    /// Connects, consumes until the server has said everything and gone away, and closes; returns how many deliveries came.
    private func deliveries(over pieces: [[UInt8]], isWhole: Bool = false) async throws -> Int {
        try await withFakeBroker(
            patience: isWhole ? .seconds(20) : .milliseconds(300),
            { peer, number in
                // It is the first connection that counts; recovery finds nobody.
                guard number == 1 else { return }
                try peer.readProtocolHeader()
                for (piece, question) in zip(pieces, Self.questions) {
                    if !question.isEmpty { try peer.wait(for: question) }
                    try peer.send(piece)
                }
                // What is not handed out when the connection ends is dropped, so the end has to wait for the last acknowledgment.
                while isWhole, try peer.wait(for: [60, 80]).payload[11] < 5 {}
            }
        ) { broker in
            var configuration = broker.configuration
            if !isWhole {
                configuration.connectTimeout = .milliseconds(500)
                configuration.replyTimeout = .milliseconds(500)
            }
            configuration.recoveryDelay = .seconds(5)...(.seconds(5))
            configuration.heartbeat = isWhole ? .zero : .seconds(1)
            return try await within(.seconds(20), "the end of a connection") { [configuration] in
                let connection: AMQPConnection
                do {
                    connection = try await AMQPConnection.connect(configuration)
                } catch is AMQPError {
                    return 0
                }
                let updates = connection.statusUpdates()
                let consumer = Task {
                    var count = 0
                    do {
                        for try await delivery in connection.deliveries(from: "q", prefetch: 10) {
                            delivery.acknowledge()
                            count += 1
                        }
                    } catch is AMQPError {}
                    return count
                }
                for await status in updates where status.state != .open { break }
                await connection.close()
                return try await consumer.value
            }
        }
    }
}
