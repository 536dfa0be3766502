import ActorBus
import LocalBroker
import Logging

/// The private broker, with the pipeline's queues.
struct PipelineBroker: Sendable {
    /// Every queue of the pipeline, by name, and the exchange that it is bound to.
    static let queues = [
        "payment_processor_queue": "orders", "notifications_orders_queue": "orders",
        "fulfillment_processor_queue": "payments", "notifications_payments_queue": "payments",
        "notifications_shipments_queue": "shipments",
    ]

    let version: String
    let port: UInt16
    private let broker: LocalBroker
    private let connection: AMQPConnection

    /// Starts a broker for as long as `body` runs.
    static func with<Result: Sendable>(_ body: (PipelineBroker) async throws -> Result) async throws -> Result {
        let broker = try await LocalBroker.start()
        do {
            let version = try await broker.rabbitmqctl(["version"])
            let port = broker.nodes[0].amqpPort
            var logger = Logger(label: "bench") { StreamLogHandler.standardError(label: $0) }
            logger.logLevel = .warning
            let topology = Topology(
                exchanges: Set(queues.values).map { Exchange($0, .fanout) },
                queues: queues.map { Queue($0.key).bound(to: $0.value) })
            let connection = try await AMQPConnection.connect(
                ConnectionConfiguration(endpoints: [.init(host: "127.0.0.1", port: port)]),
                topology: topology, logger: logger)
            let result = try await body(
                PipelineBroker(
                    version: String(version.prefix { !$0.isNewline }), port: port, broker: broker,
                    connection: connection))
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

    func cpuSeconds() throws -> Double {
        guard let process = try broker.processIdentifier(node: 0) else { throw BenchmarkError("the broker has ended") }
        return try ProcessFigures.cpuSeconds(of: process)
    }

    /// Free ports next to one another.
    func freePorts(_ count: UInt16) throws -> UInt16 {
        for _ in 0..<100 {
            let first = try Loopback.freePorts(1)[0]
            if (first..<first + count).allSatisfy(Loopback.isFree) { return first }
        }
        throw BenchmarkError("no \(count) free ports next to one another on 127.0.0.1")
    }

    /// How many messages are ready, over all queues.
    func messages() async throws -> Int {
        var sum = 0
        for queue in Self.queues.keys { sum += Int(try await connection.inspect(queue: queue).messages) }
        return sum
    }

    func consumers() async throws -> Int {
        var sum = 0
        for queue in Self.queues.keys { sum += Int(try await connection.inspect(queue: queue).consumers) }
        return sum
    }
}
