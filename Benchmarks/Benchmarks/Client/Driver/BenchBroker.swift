import ActorBus
import LocalBroker
import Logging

/// The private broker, and the queues of a run on it.
struct BenchBroker: Sendable {
    let address: WorkOrder.Broker
    let version: String
    private let broker: LocalBroker
    private let connection: AMQPConnection
    private let publisher: Publisher
    /// Deletes queues, which ActorBus does not.
    private let deleter: Contender

    private static let fanout = "bench.fanout"

    /// Starts a broker for as long as `body` runs.
    static func with<Result: Sendable>(
        deleter: Contender, _ body: (BenchBroker) async throws -> Result
    ) async throws -> Result {
        let broker = try await LocalBroker.start()
        do {
            let version = try await broker.rabbitmqctl(["version"])
            let address = WorkOrder.Broker(port: broker.nodes[0].amqpPort)
            let connection = try await AMQPConnection.connect(
                ConnectionConfiguration(endpoints: [.init(host: address.host, port: address.port)]),
                topology: Topology { Exchange(fanout, .fanout) }, logger: logger)
            let bench = BenchBroker(
                address: address, version: String(version.prefix { !$0.isNewline }), broker: broker,
                connection: connection, publisher: try await connection.publisher(), deleter: deleter)
            let result = try await body(bench)
            await connection.close()
            await broker.stop()
            return result
        } catch {
            await broker.stop()
            throw error
        }
    }

    /// A folder that goes with the broker, however that ends.
    var scratchFolder: String { broker.dataDirectory }

    /// User and system time of the broker's process.
    func cpuSeconds() throws -> Double {
        guard let process = try broker.processIdentifier(node: 0) else { throw BenchmarkError("the broker has ended") }
        return try ProcessFigures.cpuSeconds(of: process)
    }

    /// The order for a run with queues of its own, which are declared, and filled where they are to be consumed.
    func prepare(_ scenario: Scenario, run: Int) async throws -> (order: WorkOrder, queues: [String]) {
        let queues = (1...scenario.queues).map { "bench.\(run).\($0)" }
        try await connection.declare(
            Topology(
                queues: queues.map { scenario.queues > 1 ? Queue($0).bound(to: Self.fanout) : Queue($0) }))
        var order = WorkOrder(scenario.work, broker: address)
        order.count = scenario.count
        order.size = scenario.size
        order.window = scenario.window
        order.prefetch = scenario.prefetch
        order.connections = scenario.connections
        order.seconds = scenario.seconds
        order.queue = queues[0]
        if scenario.queues > 1 {
            order.exchange = Self.fanout
        } else {
            order.routingKey = queues[0]
        }
        if scenario.work == .consume { try await fill(queues[0], scenario) }
        return (order, queues)
    }

    /// Checks that the queues hold what they should after a run, and deletes them.
    func finish(_ scenario: Scenario, queues: [String]) async throws {
        let publishes = [WorkOrder.Work.publish, .confirm, .send].contains(scenario.work)
        let expected = publishes ? UInt32(clamping: scenario.count) : 0
        for queue in queues {
            let deadline = ContinuousClock.now + .seconds(10)
            var found = try await connection.inspect(queue: queue).messages
            // The broker counts a moment later than it confirms.
            while found != expected, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(5))
                found = try await connection.inspect(queue: queue).messages
            }
            guard found == expected else {
                throw BenchmarkError("\(scenario.key): the queue holds \(found) messages, and not \(expected)")
            }
        }
        var order = WorkOrder(.delete, broker: address)
        order.queue = queues.joined(separator: ",")
        _ = try await RivalProcess.output(deleter, deleter.arguments, order)
    }

    private func fill(_ queue: String, _ scenario: Scenario) async throws {
        let message = Message(
            body: Array(repeating: UInt8(ascii: "x"), count: scenario.size),
            properties: MessageProperties(contentType: "application/octet-stream"))
        try await withThrowingTaskGroup { group in
            let tasks = min(500, scenario.count)
            for index in 0..<tasks {
                let count = scenario.count / tasks + (index < scenario.count % tasks ? 1 : 0)
                group.addTask { [publisher] in
                    for _ in 0..<count { try await publisher.publish(message, to: "", routingKey: queue) }
                }
            }
            try await group.waitForAll()
        }
    }

    private static var logger: Logger {
        var logger = Logger(label: "bench") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .warning
        return logger
    }
}
