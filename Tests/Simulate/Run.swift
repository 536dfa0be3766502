import ActorBus
import ActorBusTesting

/// One scenario, lived through.
final class Run: @unchecked Sendable {
    // Unchecked: a simulation has one thread.

    /// What a run came to.
    struct Report: Sendable {
        var findings: [String]
        var trace: UInt64
        var elapsed: Duration
        var published: Int
        var connections: Int
        var faults: Int
        var story: [String]
    }

    let scenario: Scenario
    let simulated: SimulatedWorld
    let broker: SimulatedBroker
    private(set) var findings: [String] = []
    var published = PublishedMessages()
    var handedOut = HandedOut()
    /// Whether faults last.
    var isStormy = true
    /// How many have befallen it.
    var faults = 0
    /// Queues that somebody has declared differently.
    var redeclared: Set<Int> = []
    /// The addresses of each node.
    private(set) var addresses: [[String]] = []
    private var clients: [Client] = []
    private var connections = 0
    private var random: SeededGenerator
    private var sabotage: (@Sendable (Run) async -> Void)?

    private init(_ scenario: Scenario, tellsStory: Bool) {
        self.scenario = scenario
        simulated = SimulatedWorld(seed: scenario.seed, tellsStory: tellsStory)
        random = SeededGenerator(seed: ~scenario.seed)
        let versions: [RabbitMQVersion] = [.threeTen, .four, .fourThree]
        broker = SimulatedBroker(version: versions[Int(scenario.seed % 3)], nodes: scenario.nodes)
    }

    /// - Parameter sabotage: done behind the run's back in the middle of it, to see that it is found.
    static func of(
        _ scenario: Scenario, tellsStory: Bool = false, sabotage: (@Sendable (Run) async -> Void)? = nil
    ) -> Report {
        let run = Run(scenario, tellsStory: tellsStory)
        run.sabotage = sabotage
        // They hold one another.
        defer { run.clients = [] }
        run.setUp()
        // Every task of the run holds it, until it is over.
        var token: RunningTask? = RunningTask()
        weak let running = token
        do {
            let held = token
            token = nil
            try run.simulated.runHere(limit: .seconds(3_600)) {
                try await RunningTask.$current.withValue(held) { try await run.live() }
            }
            run.checkMessages()
            run.checkLeftovers()
        } catch {
            run.find("\(error)")
        }
        if running != nil { run.find("a task was left that never ends") }
        return Report(
            findings: run.findings, trace: run.simulated.trace, elapsed: run.simulated.elapsed,
            published: run.published.count, connections: run.connections, faults: run.faults, story: run.simulated.story
        )
    }

    func find(_ finding: String) {
        simulated.tell("FOUND: \(finding)")
        findings.append(finding)
    }

    // MARK: Chance

    /// True so often of a hundred.
    func chance(_ percent: UInt64) -> Bool { random.next() % 100 < percent }

    func number(below bound: Int) -> Int { Int(random.next() % UInt64(bound)) }

    func duration(upTo most: Duration) -> Duration {
        let (seconds, attoseconds) = most.components
        let nanoseconds = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
        return .nanoseconds(Int64.random(in: 0...max(0, nanoseconds), using: &random))
    }

    /// Waits so long; where that is no time at all, for a few of the steps that others take.
    func pause(for duration: Duration) async throws {
        guard duration == .zero else { return try await simulated.sleep(for: duration) }
        for _ in 0..<number(below: 12) { await Task.yield() }
    }

    // MARK: The world

    func anyQueue() -> Int { number(below: scenario.queues.count) }

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
        for (number, name) in nodeNames.enumerated() {
            network.serve(broker, node: number, at: name)
            addresses.append(network.addresses(of: name))
        }
        network.conditions.latency = scenario.latency
        network.conditions.isPieced = scenario.isPieced
        network.conditions.window = scenario.window
        network.fate = { [weak self] _, random in self?.fate(&random) ?? SimulatedNetwork.Fate() }
        broker.numberDeliveries()
        broker.setSyncTime(scenario.syncTime)
        if let timeout = scenario.consumerTimeout { broker.setConsumerTimeout(timeout) }
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
        self.clients = clients
        let lives = clients.map { client in simulated.task { await client.live() } }
        for fault in scenario.faults { simulated.task { await self.befall(fault) } }
        try await simulated.sleep(for: Scenario.stormy)
        calm()
        await sabotage?(self)
        for client in clients { client.settleDown() }
        try await simulated.sleep(for: Scenario.recovery)
        checkConsumers()
        checkChannels()
        for client in clients { await client.checkReady() }
        for client in clients { await client.hasPublished() }
        try await drain()
        for client in clients { await client.stop() }
        for life in lives { await life.value }
    }

    // MARK: What users tell

    func note(_ outcome: PublishedMessages.Outcome, of message: String) {
        simulated.tell("\(message): \(outcome)")
        if let fault = published.ends(message, as: outcome) { find(fault) }
    }

    /// Notes a delivery that a reader was handed, and returns its number.
    func take(_ delivery: Delivery, for reader: Int) -> Int? {
        let name = PublishedMessages.name(of: delivery.message)
        guard let number = HandedOut.number(of: delivery) else {
            find("\(name) has lost the number of its delivery")
            return nil
        }
        simulated.tell("\(name) is handed out, delivery \(number)")
        if let fault = handedOut.handed(number, of: name, to: reader, in: broker) { find(fault) }
        return number
    }

    /// - Parameter pause: how long the library waits with it at most.
    func settle(_ number: Int?, _ settlement: Settlement, within pause: Duration = .zero) {
        guard let number else { return }
        simulated.tell("delivery \(number): \(settlement)")
        handedOut.settle(number, settlement, from: simulated.elapsed, to: simulated.elapsed + pause)
    }

    /// What an event tells that was not so.
    func doubt(of event: ConnectionEvent) -> String? {
        switch event {
        case .connected(let endpoint, let server):
            return nodeNames.contains(endpoint.host) && server == "RabbitMQ \(broker.version.rawValue)"
                ? nil : "it is connected to \(server) at \(endpoint), which is not there"
        case .lost(let error), .attemptFailed(_, let error):
            if !ConnectionLoss.isKnown(error) { return "the connection failed for what is no reason: \(error)" }
            if simulated.elapsed > Scenario.stormy + Scenario.calming { return "it was lost, and nothing broke it" }
            return scenario.isUndisturbed ? "it was lost, and nothing has happened" : nil
        case .consumerLost, .skipped:
            return scenario.isUndisturbed ? "it tells of \(event), and nothing has happened" : nil
        case .blocked: return scenario.hasAlarms ? nil : "it is blocked, and there is no alarm"
        case .consumerEnded(_, let error):
            return scenario.mayBeRefused(error) ? nil : "a consumer was given up: \(error)"
        case .closed(let error?): return "it was closed by \(error)"
        default: return nil
        }
    }

    // MARK: What must hold

    /// The broker knows as many consumers as are wanted.
    private func checkConsumers() {
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

    /// The broker has a connection for each client, and a channel for each consumer and for each publisher that is not gone.
    private func checkChannels() {
        let open = clients.filter { !$0.isClosed }
        if broker.connections.count != open.count {
            find("the broker has \(broker.connections.count) connections, of \(open.count) clients")
        }
        let consumers = open.reduce(0) { $0 + $1.plan.consumers.count }
        let publishers = open.reduce(0) { $0 + $1.plan.publishers.count }
        let channels = broker.connections.reduce(0) { $0 + $1.channels.count }
        if channels < consumers || channels > consumers + publishers {
            find("the broker has \(channels) channels, of \(consumers) consumers and \(publishers) publishers")
        }
    }

    /// Waits until what has a consumer is consumed.
    private func drain() async throws {
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
        let queues = scenario.queues.indices.map(Self.queueName)
        let law = RequestLaw(broker: broker, countsPublishers: !scenario.closesChannels)
        let findings =
            published.findings(in: broker, queues: queues)
            + handedOut.findings(in: broker.deliveries, calm: Scenario.stormy + Scenario.calming)
            + clients.flatMap(\.findings) + law.findings
        for finding in findings { find(finding) }
    }

    private func checkLeftovers() {
        for leftover in simulated.leftovers { find("\(leftover) was left over") }
        if simulated.pendingTimers > 0 { find("\(simulated.pendingTimers) timers were left over") }
        if simulated.network.openConnections > 0 {
            find("\(simulated.network.openConnections) connections were left open")
        }
        if !broker.connections.isEmpty { find("the broker still has \(broker.connections.count) connections") }
    }
}

/// Held by every task that a run starts.
private final class RunningTask: Sendable {
    @TaskLocal static var current: RunningTask?
}
