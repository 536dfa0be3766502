import Glibc
import LocalBroker
import Testing

@testable import ActorBusTesting

/// The simulated broker beside a real one: random scripts, which both must answer alike.
///
/// `DIFFERENTIAL_SEEDS=FIRST-LAST` runs these seeds, `DIFFERENTIAL_PROFILE` one profile only, and `DIFFERENTIAL_PORT` runs
/// them against a broker that is there already.
@Suite(.serialized) struct DifferentialTests {
    @Test(arguments: ScriptGenerator.Profile.allCases)
    func bothAnswerAlike(profile: ScriptGenerator.Profile) async throws {
        if let only = Self.variable("DIFFERENTIAL_PROFILE"), only != "\(profile)" { return }
        let (port, version) = try await Self.broker()
        var compared = 0
        let deadline = ContinuousClock.now + .seconds(6)
        for seed in Self.seeds {
            let isBounded = Self.variable("DIFFERENTIAL_SEEDS") == nil
            if isBounded, ContinuousClock.now > deadline { break }
            do {
                let run = try DifferentialRun(profile: profile, seed: seed, version: version, port: port)
                compared += try run.run(steps: 60)
            } catch {
                Issue.record("\(profile), seed \(seed): \(error)")
                if isBounded { break }
            }
        }
        if Self.variable("DIFFERENTIAL_SEEDS") != nil { print("\(profile): \(compared) steps alike") }
        #expect(compared >= 20, "the machine was too slow to compare anything")
    }

    private static let local = Task { try await LocalBroker.start() }

    /// Where the real broker is, and which version of the model it is to be like.
    private static func broker() async throws -> (port: UInt16, RabbitMQVersion) {
        let port =
            if let port = variable("DIFFERENTIAL_PORT").flatMap(UInt16.init) { port } else {
                try await local.value.nodes[0].amqpPort
            }
        return (port, try model(ofBrokerAt: port))
    }

    /// The version of the model that a real broker is to be compared with.
    static func model(ofBrokerAt port: UInt16) throws -> RabbitMQVersion {
        let found = try WireClient(SocketWire(port: port)).version
        let series = found.split(separator: ".").prefix(found.hasPrefix("3.") ? 1 : 2)
        let version = RabbitMQVersion.allCases.first { $0.rawValue.split(separator: ".").starts(with: series) }
        return try #require(version, "no model of RabbitMQ \(found)")
    }

    private static var seeds: ClosedRange<UInt64> {
        let bounds = (variable("DIFFERENTIAL_SEEDS") ?? "1-40").split(separator: "-").compactMap { UInt64($0) }
        guard let first = bounds.first, let last = bounds.last, first <= last else { return 1...1 }
        return first...last
    }

    static func variable(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }
}
