import Glibc

@testable import ActorBusTesting

/// One script, run on the simulated broker and on a real one, answer by answer.
final class DifferentialRun {
    /// Where the two do not agree.
    struct Difference: Error, CustomStringConvertible {
        var description: String
    }

    private let port: UInt16
    private let broker: BrokerModel
    private var generator: ScriptGenerator
    private var simulated: WireClient
    private var real: WireClient
    private var script: [Step] = []
    private var confirmed: UInt64 = 0
    private var openChannels: Set<UInt16> = []
    private var lastWait = ContinuousClock.now

    /// The channel that asks after the queues.
    private static let asking: UInt16 = 100
    private static let patience = Duration.seconds(10)

    init(profile: ScriptGenerator.Profile, seed: UInt64, version: RabbitMQVersion, port: UInt16) throws {
        self.port = port
        broker = BrokerModel(version: version, epoch: 1_767_600_000_000)
        generator = ScriptGenerator(
            profile: profile, version: version, seed: seed, prefix: "s\(seed)-\(UInt32.random(in: 0 ... .max))-")
        simulated = try WireClient(SimulatedWire(broker))
        real = try WireClient(SocketWire(port: port))
    }

    /// Whether time has passed in the real broker that the simulated one knows nothing of, so that what expires does so
    /// in the one and not in the other.
    private var isTooLate: Bool {
        generator.profile.isTimed && ContinuousClock.now - lastWait > .milliseconds(150)
    }

    /// Runs the script. Returns how many steps it compared: fewer than asked where the machine was too slow for a
    /// script in which time matters.
    func run(steps: Int) throws -> Int {
        defer { cleanUp() }
        for count in 0..<steps {
            let step = generator.next()
            script.append(step)
            do { try perform(step) } catch let difference as Difference {
                if isTooLate { return count }
                throw difference
            }
            if isTooLate { return count }
        }
        return steps
    }

    private func perform(_ step: Step) throws {
        if generator.isConfirmed(step) {
            confirmed += 1
            simulated.expectConfirm(confirmed, on: step.channel)
            real.expectConfirm(confirmed, on: step.channel)
        }
        if case .wait(let milliseconds) = step.operation {
            broker.advance(to: broker.now + Int64(milliseconds))
            usleep(UInt32(milliseconds) * 1000)
            lastWait = ContinuousClock.now
        }
        let (deaths, queues) = (broker.record.died.count, broker.hosts["/"]?.queues.count ?? 0)
        try step.operation.send(by: simulated, on: step.channel)
        try step.operation.send(by: real, on: step.channel)
        let expected = simulated.answers(milliseconds: 0)
        var found: [Answer] = []
        let deadline = ContinuousClock.now + Self.patience
        if expected.isEmpty { found = real.answers(milliseconds: 0) }
        while !Self.agree(expected, found), !real.isClosed, ContinuousClock.now < deadline {
            found += real.answers(milliseconds: 2)
        }
        guard Self.agree(expected, found) else { throw difference(step, expected, found) }
        notice(step, expected)
        if simulated.isClosed || real.isClosed {
            guard simulated.isClosed, expected.contains(where: { $0.kind == .connectionClosed }) else {
                throw difference(step, expected, found + [Answer(channel: 0, kind: .other, text: "(hung up)")])
            }
            simulated = try WireClient(SimulatedWire(broker))
            real = try WireClient(SocketWire(port: port))
            openChannels = []
        }
        // A quorum queue publishes its dead letters in its own time, and a queue that goes with its last consumer is gone
        // a little later: nothing asks after either.
        let hasLetters = generator.profile.isQuorum && broker.record.died.count > deaths
        if hasLetters || broker.hosts["/"]?.queues.count ?? 0 < queues { usleep(30_000) }
        try compareQueues(after: step)
    }

    private func notice(_ step: Step, _ answers: [Answer]) {
        generator.notice(step, answers)
        switch step.operation {
        case .openChannel: openChannels.insert(step.channel)
        case .closeChannel:
            openChannels.remove(step.channel)
            if step.channel == ScriptGenerator.publishing { confirmed = 0 }
        default: break
        }
        for answer in answers where answer.kind == .channelClosed || answer.kind == .connectionClosed {
            if answer.channel == ScriptGenerator.publishing || answer.channel == 0 { confirmed = 0 }
            openChannels.remove(answer.channel)
            if answer.channel == 0 { openChannels = [] }
        }
    }

    /// Asks both after every queue, until they agree: a barrier too, behind which no answer of the step is left.
    private func compareQueues(after step: Step) throws {
        let queues = (generator.queues + ["\(generator.prefix)bad"]).filter { broker.hosts["/"]?.queues[$0] != nil }
        let deadline = ContinuousClock.now + Self.patience
        if !openChannels.contains(Self.asking) {
            openChannels.insert(Self.asking)
            for client in [simulated, real] { try Operation.openChannel.send(by: client, on: Self.asking) }
        }
        while true {
            for client in [simulated, real] {
                for queue in queues { try Operation.inspectQueue(queue).send(by: client, on: Self.asking) }
            }
            let expected = simulated.answers(milliseconds: 0)
            var found: [Answer] = []
            let turn = ContinuousClock.now + Self.patience
            while found.count < expected.count, !real.isClosed, ContinuousClock.now < turn {
                found += real.answers(milliseconds: 2)
            }
            let channels = openChannels.sorted()
            var flows = 0
            for channel in channels { try Operation.flow.send(by: real, on: channel) }
            while flows < channels.count, !real.isClosed, ContinuousClock.now < turn {
                for answer in real.answers(milliseconds: 2) {
                    if answer.text == "method 20.21" { flows += 1 } else { found.append(answer) }
                }
            }
            if Self.agree(expected, found) { return }
            let isDepthOnly = found.allSatisfy { $0.channel == Self.asking }
            if !isDepthOnly || ContinuousClock.now >= deadline { throw difference(step, expected, found) }
        }
    }

    /// In the same order on each channel.
    private static func agree(_ left: [Answer], _ right: [Answer]) -> Bool {
        func byChannel(_ answers: [Answer]) -> [UInt16: [String]] {
            Dictionary(grouping: answers, by: \.channel).mapValues { $0.map(\.text) }
        }
        return byChannel(left) == byChannel(right)
    }

    private func difference(_ step: Step, _ expected: [Answer], _ found: [Answer]) -> Difference {
        func lines(_ things: [some CustomStringConvertible]) -> String {
            things.map { "    \($0)\n" }.joined()
        }
        return Difference(
            description: "the script\n\(lines(script))  the simulated broker\n\(lines(expected))"
                + "  the real broker\n\(lines(found))")
    }

    private func cleanUp() {
        guard let client = try? WireClient(SocketWire(port: port)) else { return }
        real = client
        try? Operation.openChannel.send(by: client, on: 1)
        for queue in generator.queues { try? Operation.deleteQueue(queue).send(by: client, on: 1) }
        for exchange in generator.exchanges {
            try? Operation.deleteExchange(exchange, ifUnused: false).send(by: client, on: 1)
        }
        try? Operation.flow.send(by: client, on: 1)
        let deadline = ContinuousClock.now + Self.patience
        while !client.isClosed, ContinuousClock.now < deadline {
            if client.answers(milliseconds: 10).contains(where: { $0.text == "method 20.21" }) { return }
        }
    }
}
