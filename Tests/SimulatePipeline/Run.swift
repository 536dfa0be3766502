import ActorBus
import ActorBusTesting
import Logging
import Pipeline

/// One scenario, lived through.
final class Run: @unchecked Sendable {
    // Unchecked: a simulation has one thread.

    /// What a run came to.
    struct Report: Sendable {
        var findings: [String]
        var trace: UInt64
        var elapsed: Duration
        var orders: Int64
        var faults: Int
        var kills: Int
        var connections: Int
        /// Messages that tell of what another one had told of already.
        var duplicates: Int
        var story: [String]
    }

    /// When a test may do something behind the run's back.
    enum Moment: Sendable { case faultsAreOver, generatorWasKilled }
    typealias Sabotage = @Sendable (Run, Moment) throws -> Void

    let scenario: Scenario
    let simulated: SimulatedWorld
    let broker: SimulatedBroker
    let partners = Partners()
    let orders: OrderBook
    let sabotage: Sabotage?
    private(set) var findings: [String] = []
    /// What was put in that nobody can read, by the queue that it came to.
    private(set) var poison: [PipelineQueue: Set<String>] = [:]
    private var isStormy = true
    /// Whether the time to recover from the faults is over.
    private(set) var isSettled = false
    private(set) var duplicates = 0
    private var supervisors: [Supervisor] = []
    private var stranger: Publisher?
    private var faults = 0
    private var poisoned = 0
    private var connections = 0
    private let tellsStory: Bool

    private init(_ scenario: Scenario, tellsStory: Bool, sabotage: Sabotage?) throws {
        self.scenario = scenario
        self.tellsStory = tellsStory
        self.sabotage = sabotage
        simulated = SimulatedWorld(seed: scenario.seed, tellsStory: tellsStory)
        let versions: [RabbitMQVersion] = [.threeTen, .four, .fourThree]
        broker = SimulatedBroker(version: versions[Int(scenario.seed % 3)], nodes: scenario.nodes)
        orders = try OrderBook(orders: scenario.orders, in: simulated.world)
        supervisors = scenario.services.indices.map { Supervisor($0, of: self) }
    }

    /// - Parameter sabotage: done behind the run's back, to see that it is found.
    /// - Throws: where there is no room for the state folder.
    static func of(_ scenario: Scenario, tellsStory: Bool = false, sabotage: Sabotage? = nil) throws -> Report {
        let run = try Run(scenario, tellsStory: tellsStory, sabotage: sabotage)
        // They hold the run, with all that the broker remembers.
        defer { run.supervisors = [] }
        run.setUp()
        do {
            try run.simulated.runHere(limit: .seconds(4 * 3_600)) { try await run.live() }
            for leftover in run.simulated.leftovers { run.find("\(leftover) was left over") }
        } catch {
            run.find("\(error)")
        }
        return Report(
            findings: run.findings, trace: run.simulated.trace, elapsed: run.simulated.elapsed,
            orders: run.written, faults: run.faults,
            kills: run.supervisors.reduce(0) { $0 + $1.kills }, connections: run.connections,
            duplicates: run.duplicates, story: run.simulated.story)
    }

    func find(_ finding: String) {
        simulated.tell("FOUND: \(finding)")
        findings.append(finding)
    }

    /// How many orders were written down.
    var written: Int64 = 0

    func noteDuplicates(_ count: Int) { duplicates += count }

    func logger(_ name: String) -> Logger {
        guard tellsStory else { return Logger(label: name) { _ in SwiftLogNoOpLogHandler() } }
        return Logger(label: name) { [simulated] in StoryLog(simulated, $0) }
    }

    // MARK: The world

    var nodeNames: [String] { (0..<scenario.nodes).map { "node\($0)" } }
    var topology: Topology { PipelineTopology.all(scenario.queueType) }

    /// A queue that gets what an exchange gets, and that nobody consumes.
    static func tap(_ exchange: PipelineExchange) -> String { "tap.\(exchange.rawValue)" }

    private var taps: Topology {
        Topology(
            queues: PipelineExchange.allCases.map {
                Queue(Self.tap($0), scenario.queueType == .quorum ? .quorum() : .classic).bound(to: $0.rawValue)
            })
    }

    private func setUp() {
        let network = simulated.network
        for (number, name) in nodeNames.enumerated() { network.serve(broker, node: number, at: name) }
        network.conditions.latency = scenario.latency
        network.conditions.isPieced = scenario.isPieced
        network.conditions.window = scenario.window
        network.fate = { [weak self] _, random in self?.fate(&random) ?? SimulatedNetwork.Fate() }
        broker.setSyncTime(scenario.syncTime)
    }

    private func fate(_ random: inout SeededGenerator) -> SimulatedNetwork.Fate {
        connections += 1
        var fate = SimulatedNetwork.Fate()
        guard isStormy, connections > 1, random.next() % 100 < scenario.cuts else { return fate }
        let bytes = Int(random.next() % (random.next() % 2 == 0 ? 3_000 : 30_000))
        if random.next() % 2 == 0 { fate.bytesToBroker = bytes } else { fate.bytesToClient = bytes }
        if random.next() % 4 == 0 { fate.breaks = .silence }
        return fate
    }

    // MARK: The story

    private func live() async throws {
        var configuration = ConnectionConfiguration(endpoints: nodeNames.map { .init(host: $0) })
        configuration.world = simulated.world
        configuration.name = "stranger"
        var declared = topology
        declared.queues += taps.queues
        try await withConnection(to: configuration, topology: declared, logger: logger("stranger")) { connection in
            stranger = try await connection.publisher()
            let lives = supervisors.map { one in simulated.task { try await one.supervise() } }
            let troubles = scenario.faults.map { fault in simulated.task { try await self.befall(fault) } }
            try await simulated.sleep(for: Scenario.stormy)
            calm()
            for trouble in troubles { try await trouble.value }
            try sabotage?(self, .faultsAreOver)
            try await simulated.sleep(for: Scenario.recovery)
            isSettled = true
            for one in supervisors { if let why = one.trouble { find("\(one.name) is not ready: \(why)") } }
            try await drain()
            let asked = simulated.elapsed
            for one in supervisors { one.stop() }
            for life in lives { try await life.value }
            // With nothing in hand the drain takes no time, and closing a connection two seconds at most.
            if simulated.elapsed - asked > .seconds(15) { find("to stop took \(simulated.elapsed - asked)") }
            stranger = nil
        }
        checkAll()
    }

    private func befall(_ fault: Scenario.Fault) async throws {
        let network = simulated.network
        func lasting(_ span: Duration, _ begin: () -> Void, _ end: () -> Void) async throws {
            begin()
            try await simulated.sleep(for: span)
            end()
        }
        try await simulated.sleep(for: fault.at)
        guard isStormy else { return }
        faults += 1
        simulated.tell("fault: \(fault.kind)")
        switch fault.kind {
        case .signal(let signal, let service, let steps, let pause):
            supervisors[service].befall(signal, steps: steps, pause: pause)
        case .reset(let node): network.breakConnections(to: nodeNames[node])
        case .silence(let node): network.breakConnections(to: nodeNames[node], .silence)
        case .frozen(let node, let span):
            try await lasting(span, { broker.freeze(node: node) }, { broker.thaw(node: node) })
        case .nodeKilled(let node, let span, let losingUnsynced):
            try await lasting(
                span, { broker.kill(node: node, losingUnsynced: losingUnsynced) }, { broker.start(node: node) })
        case .leader(let queue, let node): broker.moveLeader(of: queue.rawValue, to: node)
        case .alarm(let span):
            try await lasting(span, { broker.setMemoryAlarm(true) }, { broker.setMemoryAlarm(false) })
        case .closedByOperator: broker.closeAllConnections()
        case .poison(let exchange, let count): for _ in 0..<count { try await poison(exchange) }
        }
    }

    /// Publishes what nobody can read, until the broker has it.
    private func poison(_ exchange: PipelineExchange) async throws {
        poisoned += 1
        let name = "poison-\(poisoned)"
        for queue in PipelineQueue.allCases where queue.source == exchange { poison[queue, default: []].insert(name) }
        let bodies = ["no JSON", "{}", "[1, 2]", #"{"order_id": "one"}"#, ""]
        let message = Message(
            body: Array(bodies[poisoned % bodies.count].utf8),
            properties: MessageProperties(deliveryMode: .persistent, messageID: name))
        while true {
            do {
                try await stranger?.publish(message, to: exchange.rawValue)
                return
            } catch is AMQPError {
                try await simulated.sleep(for: .seconds(1))
            }
        }
    }

    /// Ends all faults.
    private func calm() {
        isStormy = false
        simulated.tell("all faults are over")
        for node in 0..<scenario.nodes {
            broker.start(node: node)
            broker.thaw(node: node)
        }
        broker.setMemoryAlarm(false)
        for one in supervisors { one.calm() }
    }

    /// Waits until nothing is left to do.
    private func drain() async throws {
        let queues = PipelineQueue.allCases.flatMap { queue in
            [queue.rawValue] + [RetryDelay].standard.map { queue.retryQueue(after: $0) }
        }
        let end = simulated.elapsed + Scenario.draining
        while let busy = queues.first(where: { broker.depth(of: $0) != 0 || broker.unsettled(of: $0)?.isEmpty != true })
            ?? (supervisors.allSatisfy { $0.isDone || $0.plan.kind != .generator } ? nil : "the generator")
        {
            guard simulated.elapsed < end else {
                let (ready, inHand) = (broker.depth(of: busy) ?? 0, broker.unsettled(of: busy)?.count ?? 0)
                return find("\(busy) does not come to an end: \(ready) ready, \(inHand) in hand")
            }
            try await simulated.sleep(for: .seconds(1))
        }
    }
}
