import Testing

@testable import ActorBusTesting

/// The same calls have the same results in every process, whatever its dictionaries' order.
@Suite struct DeterminismTests {
    @Test func theSameScriptsHaveTheSameBytesInEveryProcess() async throws {
        var traces: [String] = []
        for _ in 0..<3 {
            let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
                print("trace \(try HashingWire.ofScripts())")
            }
            let output = String(decoding: try #require(result).standardOutputContent, as: UTF8.self)
            let lines = output.split(separator: "\n").filter { $0.hasPrefix("trace ") }
            traces.append(String(try #require(lines.first)))
        }
        #expect(Set(traces).count == 1)
    }
}

/// A wire that keeps a hash of all that a broker says (FNV-1a).
private final class HashingWire: Wire {
    private let wire: SimulatedWire
    private(set) var hash: UInt64

    init(_ wire: SimulatedWire, _ hash: UInt64) {
        self.wire = wire
        self.hash = hash
    }

    func send(_ bytes: [UInt8]) { wire.send(bytes) }

    func receive(milliseconds: Int32) throws -> [UInt8] {
        let bytes = try wire.receive(milliseconds: milliseconds)
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return bytes
    }

    /// Scripts of every kind on every version, with a kill in between.
    static func ofScripts() throws -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for version in RabbitMQVersion.allCases {
            for profile in ScriptGenerator.Profile.allCases {
                for seed in 1...4 as ClosedRange<UInt64> {
                    hash = try ofScript(profile, version, seed, hash)
                }
            }
        }
        return hash
    }

    private static func ofScript(
        _ profile: ScriptGenerator.Profile, _ version: RabbitMQVersion, _ seed: UInt64, _ start: UInt64
    ) throws -> UInt64 {
        let broker = BrokerModel(version: version, epoch: 1_767_600_000_000)
        broker.syncTime = 5
        var generator = ScriptGenerator(profile: profile, version: version, seed: seed, prefix: "p-")
        var trace = HashingWire(SimulatedWire(broker), start)
        var client = try WireClient(trace)
        for count in 0..<150 {
            let step = generator.next()
            try? step.operation.send(by: client, on: step.channel)
            broker.advance(to: broker.now + Int64(count % 10))
            let answers = client.answers(milliseconds: 0)
            generator.notice(step, answers)
            if count == 100 {
                broker.kill(node: 0, unsynced: .lost)
                broker.start(node: 0)
            }
            guard client.isClosed || count == 100 else { continue }
            generator.forgetChannels()
            trace = HashingWire(SimulatedWire(broker), trace.hash)
            client = try WireClient(trace)
        }
        return trace.hash
    }
}
