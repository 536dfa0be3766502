import ActorBus
import Foundation
import LocalBroker

/// The broker that tests share, each in a virtual host of its own. Started when the first test asks, ended with the process.
actor SharedBroker {
    static let shared = SharedBroker()

    private static let started = Lock<LocalBroker?>(nil)
    private let broker = Task {
        let broker = try await LocalBroker.start()
        SharedBroker.started.withLock { $0 = broker }
        atexit { SharedBroker.started.withLock { $0 }?.stopSynchronously() }
        return broker
    }
    private var free: [String] = []
    private var made = 0
    private var making: Task<[String], any Error>?

    /// A virtual host that nobody has used, on the shared broker.
    func virtualHost() async throws -> VirtualHost {
        while free.isEmpty {
            if let making {
                _ = try await making.value
                continue
            }
            let names = (made..<(made + 10)).map { "e2e-\($0)" }
            let task = Task { [broker] in
                try await broker.value.add(virtualHosts: names)
                return names
            }
            making = task
            do {
                free += try await task.value
            } catch {
                making = nil
                throw error
            }
            made += names.count
            making = nil
        }
        return VirtualHost(broker: try await broker.value, name: free.removeFirst())
    }
}

extension LocalBroker {
    /// One `rabbitmqctl` for all, since each starts an Erlang machine.
    fileprivate func add(virtualHosts names: [String]) async throws {
        let list = names.map { #"<<"\#($0)">>"# }.joined(separator: ",")
        try await rabbitmqctl([
            "eval",
            """
            [begin ok = rabbit_vhost:add(V, <<"test">>), ok = rabbit_auth_backend_internal:set_permissions(\
            <<"guest">>, V, <<".*">>, <<".*">>, <<".*">>, <<"test">>) end || V <- [\(list)]], ok.
            """,
        ])
    }
}

/// A virtual host of a broker: where the processes of one test meet.
struct VirtualHost: Sendable {
    let broker: LocalBroker
    let name: String

    /// The default virtual host of a broker that a test has for itself.
    init(of broker: LocalBroker) {
        self.init(broker: broker, name: "/")
    }

    init(broker: LocalBroker, name: String) {
        self.broker = broker
        self.name = name
    }

    /// Every node's address, as `AMQP_URL` takes it.
    var url: String { broker.url + (name == "/" ? "" : name) }

    /// A connection of the test's own, which comes back soon after a loss.
    func withConnection<Value: Sendable>(
        _ topology: Topology = Topology(), _ body: (AMQPConnection) async throws -> Value
    ) async throws -> Value {
        var configuration = try ConnectionConfiguration(url: url)
        configuration.recoveryDelay = .milliseconds(50)...(.milliseconds(500))
        return try await ActorBus.withConnection(
            to: configuration, topology: topology, logger: .silent, body)
    }

    /// How many messages each queue holds that are ready, asked once.
    func depths(of queues: [String]) async throws -> [String: UInt32] {
        try await withConnection { connection in
            var depths: [String: UInt32] = [:]
            for queue in queues { depths[queue] = try await connection.inspect(queue: queue).messages }
            return depths
        }
    }

    /// Waits until each queue holds so many ready messages. With no consumer left, that is all it holds.
    func waits(for messages: UInt32, in queues: [String], within limit: Duration = .seconds(20)) async throws {
        try await withConnection { connection in
            for queue in queues {
                try await eventually(within: limit, "\(messages) messages in \(queue)") {
                    try await connection.inspect(queue: queue).messages == messages
                }
            }
        }
    }

    /// Takes out every message that is ready in a queue.
    func take(from queue: String) async throws -> [Delivery] {
        try await withConnection { connection in
            let count = Int(try await connection.inspect(queue: queue).messages)
            var taken: [Delivery] = []
            guard count > 0 else { return taken }
            for try await delivery in connection.deliveries(from: queue, prefetch: 1) {
                taken.append(delivery)
                delivery.acknowledge()
                if taken.count == count { break }
            }
            return taken
        }
    }

    /// Publishes as it is, and returns when the broker has it.
    func publish(_ messages: [Message], to exchange: String, routingKey: String = "") async throws {
        try await withConnection { connection in
            let publisher = try await connection.publisher()
            for message in messages { try await publisher.publish(message, to: exchange, routingKey: routingKey) }
        }
    }
}
