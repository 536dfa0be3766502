import ActorBus
import Foundation
import LocalBroker
import Logging
import Testing

@testable import Pipeline

/// The broker of the stages' tests: started when the first asks, ended with the process.
enum StageBroker {
    static let shared = Task {
        let broker = try await LocalBroker.start()
        started.withLock { $0 = broker }
        atexit { StageBroker.started.withLock { $0 }?.stopSynchronously() }
        return broker
    }

    private static let started = ActorBus.Lock<LocalBroker?>(nil)
}

/// A virtual host with the pipeline's topology, and what a stage needs there. Delays are short.
struct StageScene: Sendable {
    static let policy = FailurePolicy(
        inPlace: RetryPolicy(attempts: 2, first: .milliseconds(10), longest: .milliseconds(10)),
        delays: [RetryDelay(milliseconds: 50), RetryDelay(milliseconds: 100)])
    static let exchange = PublishTarget.exchange("orders")

    let broker: LocalBroker
    let virtualHost: String
    let connection: AMQPConnection
    let publisher: EventPublisher
    let registry: PrometheusRegistry
    let metrics: WorkerMetrics
    let events = ActorBus.Lock<[OrderEvent]>([])
    let workInHand = WorkInHand()

    /// - Parameter change: what is to be otherwise at the broker than the pipeline has it.
    static func with(
        policy: FailurePolicy = StageScene.policy, _ change: (inout Topology) -> Void = { _ in },
        _ body: (StageScene) async throws -> Void
    ) async throws {
        let broker = try await StageBroker.shared.value
        let name = "stage-\(UInt32.random(in: 0 ... .max))"
        try await broker.rabbitmqctl(["add_vhost", name])
        try await broker.rabbitmqctl(["set_permissions", "-p", name, "guest", ".*", ".*", ".*"])
        var configuration = try ConnectionConfiguration(url: broker.url)
        configuration.virtualHost = name
        configuration.recoveryDelay = .milliseconds(50)...(.milliseconds(200))
        var topology = PipelineTopology.all(.classic, delays: policy.delays)
        change(&topology)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        try await withStageConnections(to: configuration, topology: topology, logger: logger) { open in
            try await body(
                StageScene(
                    broker: broker, virtualHost: name, connection: open.consuming, publisher: open.publisher,
                    registry: open.registry, metrics: open.metrics))
        }
        try await broker.rabbitmqctl(["delete_vhost", name])
    }

    var observer: PipelineObserver { PipelineObserver { event in events.withLock { $0.append(event) } } }

    func router(patience: Duration = .seconds(10)) -> FailureRouter {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return FailureRouter(
            .payment, Self.policy, PatientPublisher(publisher, patience: patience, logger: logger), observer: observer,
            logger: logger)
    }

    /// Runs a stage beside `body`, and returns when it has drained. Throws what it throws.
    func running(
        _ stage: some Stage, patience: Duration = .seconds(10), drainTimeout: Duration = .seconds(5),
        handlerTimeout: Duration = .seconds(100), _ body: (Task<Void, any Error>) async throws -> Void
    ) async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let runner = StageRunner(
            stage, publisher: publisher, effects: SharedEffects(), metrics: metrics, workInHand: workInHand,
            observer: observer, policy: Self.policy, patience: patience, logger: logger)
        let task = Task {
            try await runner.run(
                on: connection,
                Intake(prefetch: 10, concurrency: 10, handlerTimeout: handlerTimeout), DrainTime(drainTimeout))
        }
        do {
            try await body(task)
        } catch {
            task.cancel()
            _ = await task.result
            throw error
        }
        task.cancel()
        try await task.value
    }

    func publishOrder(_ number: Int64 = 1, properties: MessageProperties = MessageProperties(correlationID: "c-1"))
        async throws
    {
        try await publisher.publish(Self.order(number, properties: properties), to: Self.exchange)
    }

    static func order(
        _ number: Int64, properties: MessageProperties = MessageProperties(correlationID: "c-1")
    ) -> Message {
        let order = Order(
            orderID: number, customerEmail: "a@example.com", items: [], totalAmount: Money(cents: 1250) ?? .zero,
            currency: "EUR",
            timestamp: .now())
        return Message(body: order.encoded(), properties: properties)
    }

    func depth(_ queue: String) async throws -> UInt32 { try await connection.inspect(queue: queue).messages }

    /// Waits until a queue holds so many ready messages.
    func waits(for count: UInt32, in queue: String) async throws {
        try await eventually("\(count) in \(queue)") { try await depth(queue) == count }
    }

    func take(from queue: String) async throws -> Message {
        var deliveries = connection.deliveries(from: queue, prefetch: 1).makeAsyncIterator()
        let delivery = try #require(try await deliveries.next())
        delivery.acknowledge()
        return delivery.message
    }

    /// How often messages of the payment queue came to an end of this kind.
    func settled(_ outcome: String) -> Double {
        MetricsPage(String(decoding: registry.exposition(), as: UTF8.self)).sum(
            "pipeline_messages_settled_total", ["queue": "payment_processor_queue", "outcome": outcome]) ?? 0
    }
}

/// Waits, within twenty seconds, until something holds.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(20)
    while try await !condition() {
        guard ContinuousClock.now < end else { throw Overdue(what) }
        try await Task.sleep(for: .milliseconds(20))
    }
}

struct Overdue: Error, CustomStringConvertible {
    let description: String
    init(_ what: String) { description = "not within twenty seconds: \(what)" }
}

extension LocalBroker {
    /// Sets the largest message that the broker takes, in bytes, for channels that are opened from now on. RabbitMQ 3 reads the first
    /// of the two settings, RabbitMQ 4 the second.
    func limitMessages(to bytes: Int) async throws {
        try await rabbitmqctl([
            "eval",
            "application:set_env(rabbit, max_message_size, \(bytes)), persistent_term:put(max_message_size, \(bytes)).",
        ])
    }
}
