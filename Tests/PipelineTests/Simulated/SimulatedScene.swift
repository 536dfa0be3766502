import ActorBus
import ActorBusTesting
import Logging

@testable import Pipeline

/// The pipeline's topology on a broker in memory, in virtual time, and what a stage needs there.
struct SimulatedScene: Sendable {
    static let orders = PublishTarget.exchange("orders")
    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    let broker: SimulatedBroker
    let simulated: SimulatedWorld
    let topology: Topology
    let connection: AMQPConnection
    let publishing: AMQPConnection
    let publisher: EventPublisher
    let registry: PrometheusRegistry
    let metrics: WorkerMetrics
    let events = Lock<[OrderEvent]>([])
    let workInHand = WorkInHand()

    /// - Parameter change: what is to be otherwise at the broker than the pipeline has it.
    static func with(
        seed: UInt64 = 1, _ change: @escaping @Sendable (inout Topology) -> Void = { _ in },
        _ body: @escaping @Sendable (SimulatedScene) async throws -> Void
    ) async throws {
        try await withSimulatedBroker(seed: seed) { broker, simulated in
            var topology = PipelineTopology.all(.classic)
            // Stages that are tested here fail with payments only, and each queue takes time at each connection.
            topology.queues.removeAll { queue in
                !PipelineQueue.allCases.map(\.rawValue).contains(queue.name)
                    && !queue.name.hasPrefix(PipelineQueue.payment.rawValue)
            }
            change(&topology)
            let declared = topology
            try await withStageConnections(
                to: broker.patientConfiguration, topology: declared, logger: logger
            ) { open in
                try await body(
                    SimulatedScene(
                        broker: broker, simulated: simulated, topology: declared, connection: open.consuming,
                        publishing: open.publishing, publisher: open.publisher, registry: open.registry,
                        metrics: open.metrics))
            }
        }
    }

    var world: World { simulated.world }

    // MARK: A stage

    /// Starts a stage on the consuming connection; cancel the task to let it drain.
    func start(
        _ stage: some Stage, patience: Duration = .seconds(60), drain: Duration = .seconds(25),
        intake: Intake = Intake(prefetch: 10, concurrency: 10)
    ) -> Task<Void, any Error> {
        let runner = StageRunner(
            stage, publisher: publisher, effects: SharedEffects(), metrics: metrics, workInHand: workInHand,
            observer: PipelineObserver { event in events.withLock { $0.append(event) } }, patience: patience,
            logger: Self.logger)
        return simulated.task { try await runner.run(on: connection, intake, DrainTime(drain, in: world)) }
    }

    func payment(_ gateway: some PaymentGateway) -> PaymentStage {
        PaymentStage(gateway: gateway, metrics: PaymentMetrics(factory: registry), in: world)
    }

    /// Cancels a stage and returns when it has drained.
    func drain(_ running: Task<Void, any Error>) async throws {
        running.cancel()
        try await running.value
    }

    // MARK: Messages

    func order(_ number: Int64) -> Message {
        let order = Order(
            orderID: number, customerEmail: "a@example.com", items: [], totalAmount: Money(cents: 1250) ?? .zero,
            currency: "EUR", timestamp: world.timestamp)
        let identity = OrderIdentity("order-\(number)")
        return Message(
            body: order.encoded(),
            properties: MessageProperties(
                deliveryMode: .persistent, correlationID: identity.text, messageID: identity.messageID(of: .order),
                appID: "order-generator"))
    }

    func publishOrder(_ number: Int64 = 1) async throws {
        try await publisher.publish(order(number), to: Self.orders)
    }

    // MARK: What came of it

    /// Waits until this holds of what happens in the process; for what happens at the broker there is `broker.wait`.
    func eventually(_ what: String, within limit: Duration = .seconds(900), _ condition: () -> Bool) async throws {
        let end = simulated.elapsed + limit
        while !condition() {
            guard simulated.elapsed < end else { throw Overdue(what) }
            try await simulated.sleep(for: .milliseconds(5))
        }
    }

    /// How often messages of the payment queue came to an end of this kind.
    func settled(_ outcome: WorkerMetrics.Outcome) -> Double {
        let queue = PipelineQueue.payment.rawValue
        return count("pipeline_messages_settled_total", ["queue": queue, "outcome": outcome.rawValue])
    }

    /// How often a publish came to an end of this kind.
    func confirms(_ result: WorkerMetrics.PublishResult) -> Double {
        count("pipeline_publisher_confirms_total", ["result": result.rawValue])
    }

    func count(_ metric: String, _ labels: [String: String] = [:]) -> Double {
        MetricsPage(String(decoding: registry.exposition(), as: UTF8.self)).sum(metric, labels) ?? 0
    }

    /// The attempts that messages had behind them, each time that one went to a retry queue.
    var retries: [Int64] {
        events.withLock { $0 }.compactMap { if case .retried(_, _, let attempt, _, _) = $0 { attempt } else { nil } }
    }
}

extension SimulatedBroker {
    /// With the pauses that services have.
    var patientConfiguration: ConnectionConfiguration {
        var patient = configuration
        let usual = ConnectionConfiguration()
        patient.connectAttempts = usual.connectAttempts
        patient.recoveryDelay = usual.recoveryDelay
        return patient
    }

    /// A user's rights from now on, for connections that are open too, which come back for that.
    func allow(write: String) {
        setUser("guest", password: "guest", permissions: ["/": Permissions(write: write)])
        closeAllConnections()
    }
}

/// A gateway that does as it is told, call by call.
final class ScriptedGateway: PaymentGateway {
    enum Answer: Sendable {
        case charged
        case chargedAfter(Duration)
        case unavailable
        /// No answer comes.
        case silence
    }

    private let world: World
    private let script: [Answer]
    private let then: Answer
    private let asked = Lock<[Instant]>([])

    /// - Parameter then: the answer to every call behind the script.
    init(_ script: [Answer] = [], then: Answer, in world: World) {
        self.script = script
        self.then = then
        self.world = world
    }

    /// How often it was asked.
    var calls: Int { asked.withLock { $0.count } }

    func charge(_ order: Order, identity: OrderIdentity) async throws -> ChargeAnswer {
        let call = asked.withLock { asked in
            asked.append(world.now)
            return asked.count - 1
        }
        switch call < script.count ? script[call] : then {
        case .charged: break
        case .chargedAfter(let time): try await world.sleep(for: time)
        case .unavailable: throw GatewayUnavailable("no connection to the gateway (call \(call + 1))")
        case .silence:
            try await world.sleep(for: .seconds(86_400))
            throw GatewayUnavailable("a day is over")
        }
        return ChargeAnswer(outcome: .charged, method: .paypal, processingTime: ProcessingTime(milliseconds: 1))
    }
}
