import ActorBus
import ActorBusTesting

/// One scenario, lived through.
final class Run: @unchecked Sendable {
    // Unchecked: a simulation has one thread.

    /// What a publisher was told of a message.
    enum Outcome: Equatable {
        case confirmed
        case returned
        case refused
        case surelyNotPublished
        case maybePublished
    }

    /// What a run came to.
    struct Report: Sendable {
        var findings: [String]
        var trace: UInt64
        var elapsed: Duration
        var published: Int
        var connections: Int
        var story: [String]
    }

    let scenario: Scenario
    let simulated: SimulatedWorld
    let broker: SimulatedBroker
    private(set) var findings: [String] = []
    private var outcomes: [String: (outcome: Outcome, queue: Int?)] = [:]
    /// Queues that were deleted, with what they held.
    private(set) var deleted: Set<Int> = []
    private var isStormy = true
    private var connections = 0
    private var random: SeededGenerator
    private var addresses: [[String]] = []
    private var sabotage: (@Sendable (Run) -> Void)?

    private init(_ scenario: Scenario, tellsStory: Bool) {
        self.scenario = scenario
        simulated = SimulatedWorld(seed: scenario.seed, tellsStory: tellsStory)
        random = SeededGenerator(seed: ~scenario.seed)
        let versions: [RabbitMQVersion] = [.threeTen, .four, .fourThree]
        broker = SimulatedBroker(version: versions[Int(scenario.seed % 3)])
    }

    /// - Parameter sabotage: done behind the run's back in the middle of it, to see that it is found.
    static func of(
        _ scenario: Scenario, tellsStory: Bool = false, sabotage: (@Sendable (Run) -> Void)? = nil
    ) -> Report {
        let run = Run(scenario, tellsStory: tellsStory)
        run.sabotage = sabotage
        run.setUp()
        do {
            try run.simulated.runHere(limit: .seconds(3_600)) { try await run.live() }
            for leftover in run.simulated.leftovers { run.find("\(leftover) was left over") }
            run.checkMessages()
        } catch {
            run.find("\(error)")
        }
        return Report(
            findings: run.findings, trace: run.simulated.trace, elapsed: run.simulated.elapsed,
            published: run.outcomes.count, connections: run.connections, story: run.simulated.story)
    }

    func find(_ finding: String) {
        simulated.tell("FOUND: \(finding)")
        findings.append(finding)
    }

    // MARK: Chance

    /// True so often of a hundred.
    func chance(_ percent: UInt64) -> Bool { random.next() % 100 < percent }

    func duration(upTo most: Duration) -> Duration {
        let (seconds, attoseconds) = most.components
        let nanoseconds = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
        return .nanoseconds(Int64.random(in: 0...max(0, nanoseconds), using: &random))
    }

    // MARK: The world

    func anyQueue() -> Int { Int(random.next() % UInt64(scenario.queues.count)) }

    var nodeNames: [String] { (0..<scenario.nodes).map { "node\($0)" } }
    static func queueName(_ number: Int) -> String { "work\(number)" }

    var topology: Topology {
        Topology(
            queues: scenario.queues.enumerated().map { number, isQuorum in
                Queue(Self.queueName(number), isQuorum ? .quorum() : .classic)
            })
    }

    private func setUp() {
        let network = simulated.network
        for name in nodeNames {
            network.serve(broker, at: name)
            addresses.append(network.addresses(of: name))
        }
        network.conditions.latency = scenario.latency
        network.conditions.isPieced = scenario.isPieced
        network.conditions.window = scenario.window
        network.fate = { [weak self] _, random in self?.fate(&random) ?? SimulatedNetwork.Fate() }
    }

    private func fate(_ random: inout SeededGenerator) -> SimulatedNetwork.Fate {
        connections += 1
        var fate = SimulatedNetwork.Fate()
        guard isStormy, random.next() % 100 < scenario.cuts else { return fate }
        let bytes = Int(random.next() % (random.next() % 2 == 0 ? 1_500 : 30_000))
        if random.next() % 2 == 0 { fate.bytesToBroker = bytes } else { fate.bytesToClient = bytes }
        if random.next() % 4 == 0 { fate.breaks = .silence }
        return fate
    }

    private func live() async throws {
        let clients = scenario.clients.indices.map { Client($0, of: self) }
        let lives = clients.map { client in simulated.task { await client.live() } }
        for fault in scenario.faults { simulated.task { await self.befall(fault) } }
        try await simulated.sleep(for: Scenario.stormy)
        calm()
        sabotage?(self)
        for client in clients { client.settleDown() }
        try await simulated.sleep(for: Scenario.recovery)
        for client in clients { client.checkReady() }
        checkConsumers(clients)
        for client in clients { await client.hasPublished() }
        try await drain(clients)
        for client in clients { await client.stop() }
        for life in lives { await life.value }
    }

    private func befall(_ fault: Scenario.Fault) async {
        let network = simulated.network
        func lasting(_ span: Duration, _ begin: () -> Void, _ end: () -> Void) async throws {
            begin()
            try await simulated.sleep(for: span)
            end()
        }
        do {
            try await simulated.sleep(for: fault.at)
            guard isStormy else { return }
            simulated.tell("fault: \(fault.kind)")
            switch fault.kind {
            case .reset(let node): network.breakConnections(to: nodeNames[node])
            case .silence(let node): network.breakConnections(to: nodeNames[node], .silence)
            case .down(let node, let span):
                let name = nodeNames[node]
                try await lasting(span, { network.shutDown(name) }, { network.startAgain(name) })
            case .frozen(let node, let span):
                let name = nodeNames[node]
                try await lasting(span, { network.freeze(name) }, { network.thaw(name) })
            case .nameless(let node, let span):
                let (name, addresses) = (nodeNames[node], addresses[node])
                try await lasting(
                    span, { network.setAddresses([], of: name) }, { network.setAddresses(addresses, of: name) })
            case .closedByOperator: broker.closeAllConnections()
            case .alarm(let span):
                try await lasting(span, { broker.setMemoryAlarm(true) }, { broker.setMemoryAlarm(false) })
            case .deleted(let queue):
                deleted.insert(queue)
                broker.deleteQueue(Self.queueName(queue))
            }
        } catch {
            find("a fault was cancelled: \(error)")
        }
    }

    /// Ends all faults.
    private func calm() {
        isStormy = false
        simulated.tell("all faults are over")
        for (name, addresses) in zip(nodeNames, addresses) {
            simulated.network.startAgain(name)
            simulated.network.thaw(name)
            simulated.network.setAddresses(addresses, of: name)
        }
        broker.setMemoryAlarm(false)
    }

    // MARK: What must hold

    /// - Parameter queue: the one that it was published to; nil for none.
    func note(_ outcome: Outcome, of message: String, to queue: Int?) {
        simulated.tell("\(message): \(outcome)")
        if let before = outcomes.updateValue((outcome, queue), forKey: message) {
            find("\(message) had two outcomes: \(before.outcome) and \(outcome)")
        }
        switch outcome {
        case .confirmed where queue == nil: find("\(message) had nowhere to go, and was confirmed")
        case .returned:
            if let queue, !deleted.contains(queue) { find("\(message) was called returned, and has a queue") }
        default: break
        }
    }

    /// The broker knows as many consumers as are wanted.
    private func checkConsumers(_ clients: [Client]) {
        for number in scenario.queues.indices {
            let wanted = clients.filter { !$0.isClosed }.reduce(0) { sum, client in
                sum + client.plan.consumers.count { $0.queue == number }
            }
            let found = broker.consumers(of: Self.queueName(number))
            // A queue that no client has come to declare.
            if found == nil, wanted == 0 { continue }
            if found != wanted {
                find(
                    "\(Self.queueName(number)) has \(found.map(String.init) ?? "no") consumers at the broker, and \(wanted) are wanted"
                )
            }
        }
    }

    /// Waits until what has a consumer is consumed.
    private func drain(_ clients: [Client]) async throws {
        let served = Set(clients.filter { !$0.isClosed }.flatMap { $0.plan.consumers.map(\.queue) }).sorted()
        let end = simulated.elapsed + .seconds(600)
        while let left = served.map(Self.queueName).first(where: { (broker.depth(of: $0) ?? 0) > 0 }) {
            guard simulated.elapsed < end else {
                return find("\(left) still has \(broker.depth(of: left) ?? 0) messages, and consumers for them")
            }
            try await simulated.sleep(for: .seconds(1))
        }
    }

    private func checkMessages() {
        var kept: Set<String> = []
        for number in scenario.queues.indices {
            for message in broker.messages(in: Self.queueName(number)) ?? [] { kept.insert(Self.name(of: message)) }
        }
        for settled in broker.settled where settled.settlement == .acknowledged {
            kept.insert(Self.name(of: settled.message))
        }
        for dead in broker.dead where dead.reason == "delivery_limit" { kept.insert(Self.name(of: dead.message)) }
        let published = Set(broker.published.map { Self.name(of: $0.message) })
        for (message, (outcome, queue)) in outcomes.sorted(by: { $0.key < $1.key }) {
            let isLost = !kept.contains(message) && queue.map(deleted.contains) != true
            switch outcome {
            case .confirmed where isLost: find("\(message) was confirmed and is lost")
            case .surelyNotPublished where published.contains(message):
                find("\(message) was published, and its publisher was told that it was surely not")
            // One that was written once, taken, and written again after its queue was deleted, is returned in truth.
            case .returned where kept.contains(message) && queue.map(deleted.contains) != true:
                find("\(message) is in its queue, and was called returned")
            default: break
            }
        }
        // Each client asks at most every node in an attempt, and pauses between attempts grow.
        let most = scenario.clients.count * scenario.nodes * 200 + 50
        if connections > most { find("\(connections) connections were begun: a storm") }
    }

    static func name(of message: Message) -> String { message.properties.messageID ?? "?" }
}
