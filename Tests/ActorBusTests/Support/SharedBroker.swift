import Glibc
import LocalBroker
import Testbed
import Testing

@testable import ActorBus

/// Brokers that tests share, each started when the first test asks for it, and ended with the process.
enum SharedBroker {
    /// For tests that disturb nobody else; they use names of their own.
    static let quiet = Task { try await start() }
    /// For tests that kill, freeze or choke it, one after the other.
    static let tormented = Task { try await start() }

    private static let started = Lock<[LocalBroker]>([])

    private static func start() async throws -> LocalBroker {
        // From RabbitMQ 4.0 on a message may have 16 MiB by default, before that 128 MiB.
        var options = LocalBrokerOptions(configuration: ["max_message_size": "134217728"])
        if try LocalBroker.installedVersion().canRefuseTransientQueues {
            // As later versions will by default.
            options.configuration["deprecated_features.permit.transient_nonexcl_queues"] = "false"
        }
        let broker = try await LocalBroker.start(options)
        stopAtExit(broker)
        return broker
    }

    /// Has a broker end with the process.
    static func stopAtExit(_ broker: LocalBroker) {
        let isFirst = started.withLock { brokers in
            brokers.append(broker)
            return brokers.count == 1
        }
        if isFirst { atexit { SharedBroker.stopAll() } }
    }

    private static func stopAll() {
        for broker in started.withLock({ $0 }) { broker.stopSynchronously() }
    }
}

extension LocalBroker {
    /// A configuration that gives up soon and recovers fast.
    var configuration: ConnectionConfiguration {
        var configuration = ConnectionConfiguration(
            endpoints: [.init(host: "127.0.0.1", port: nodes[0].amqpPort)])
        configuration.connectAttempts = 3
        configuration.connectDelay = .milliseconds(100)
        configuration.recoveryDelay = .milliseconds(20)...(.milliseconds(500))
        return configuration
    }
}

/// A name that no other test has.
func unique(_ name: String) -> String { "\(name)-\(UInt32.random(in: 0 ... .max))" }

/// Runs `body` with a connection to the quiet broker and a queue of the test's own, which is deleted with the connection.
func withQueue<Value: Sendable>(
    _ name: String, arguments: FieldTable = [:], _ body: (AMQPConnection, String) async throws -> Value
) async throws -> Value {
    let broker = try await SharedBroker.quiet.value
    let name = unique(name)
    return try await withConnection(
        to: broker.configuration, topology: Topology { Queue(name, arguments: arguments) }
    ) { connection in try await body(connection, name) }
}

extension AMQPConnection {
    /// Publishes numbered messages to a queue, all at once.
    func fill(_ queue: String, _ count: Int) async throws {
        let publisher = try await publisher()
        try await withThrowingTaskGroup { group in
            for number in 0..<count {
                group.addTask {
                    try await publisher.publish(
                        Message(text: "\(number)", properties: .init(messageID: "\(number)")), to: "", routingKey: queue
                    )
                }
            }
            try await group.waitForAll()
        }
    }

    /// Waits until the queue has so many messages ready.
    func settles(
        at messages: UInt32, _ queue: String, within limit: Duration = .seconds(15),
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await eventually(within: limit, "\(messages) messages are ready", sourceLocation: sourceLocation) {
            try await inspect(queue: queue).messages == messages
        }
    }
}
