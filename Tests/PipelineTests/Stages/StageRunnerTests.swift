import ActorBus
import LocalBroker
import Logging
import Testing

@testable import Pipeline

/// A gateway that is away for so many calls.
private struct FailingGateway: PaymentGateway {
    let calls = Lock<Int>(0)
    let failures: Int

    func charge(_ order: Order, identity: OrderIdentity) async throws -> ChargeAnswer {
        let call = calls.withLock { calls in
            calls += 1
            return calls
        }
        if call <= failures { throw GatewayUnavailable("no connection to the gateway (call \(call))") }
        return ChargeAnswer(outcome: .charged, method: .paypal, processingTime: ProcessingTime(milliseconds: 1))
    }
}

/// A gateway that never answers.
private struct SilentGateway: PaymentGateway {
    func charge(_ order: Order, identity: OrderIdentity) async throws -> ChargeAnswer {
        try await Task.sleep(for: .seconds(3600))
        throw GatewayUnavailable("an hour is over")
    }
}

extension StageScene {
    fileprivate func payment(_ gateway: some PaymentGateway) -> PaymentStage {
        PaymentStage(gateway: gateway, metrics: PaymentMetrics(factory: registry))
    }

    fileprivate var retried: [(attempt: Int64, delay: RetryDelay)] {
        events.withLock { $0 }.compactMap { event in
            if case .retried(.payment, _, let attempt, let delay, _) = event { (attempt, delay) } else { nil }
        }
    }

    /// Nothing of the payment queue's is anywhere but in work.
    fileprivate func isEmpty() async throws -> Bool {
        for queue in ["", ".dlq", ".retry.0.05", ".retry.0.1"] {
            if try await depth("payment_processor_queue\(queue)") > 0 { return false }
        }
        return true
    }
}

@Suite(.serialized) struct StageRunnerTests {
    private static let queue = "payment_processor_queue"
    private static let retries = "\(queue).retry.0.05"

    /// A scene whose first retry queue takes no message, until the policy `full` is cleared.
    private func withFullRetryQueue(_ body: (StageScene) async throws -> Void) async throws {
        try await StageScene.with { topology in
            topology.queues.removeAll { $0.name == Self.retries }
            topology.queues.append(Queue(Self.retries))
        } _: { scene in
            try await scene.broker.rabbitmqctl([
                "set_policy", "-p", scene.virtualHost, "full", "[.]retry[.]0[.]05$",
                #"{"max-length":0,"overflow":"reject-publish"}"#,
            ])
            try await body(scene)
        }
    }

    @Test(.timeLimit(.minutes(1))) func `what fails for now comes back after each delay, and is done once it can be`()
        async throws
    {
        try await StageScene.with { scene in
            // Two attempts in place, twice.
            try await scene.running(scene.payment(FailingGateway(failures: 4))) { _ in
                try await scene.publishOrder()
                try await scene.waits(for: 1, in: "fulfillment_processor_queue")
                try await eventually("it is acknowledged") { scene.settled("acknowledged") == 1 }
            }
            #expect(scene.retried.map(\.attempt) == [2, 4])
            #expect(scene.retried.map(\.delay) == StageScene.policy.delays)
            #expect(scene.settled("retried") == 2)
            #expect(scene.settled("requeued") == 0 && scene.settled("dead_lettered") == 0)
            #expect(try await scene.isEmpty())
            let payment = try await scene.take(from: "fulfillment_processor_queue")
            #expect(payment.properties.headers["x-attempts"] == nil && payment.properties.headers["x-retries"] == nil)
        }
    }

    @Test(.timeLimit(.minutes(1))) func `what always fails is exhausted, and tells how often and since when`()
        async throws
    {
        try await StageScene.with { scene in
            let began = Timestamp.now()
            let gateway = FailingGateway(failures: .max)
            let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            try await scene.running(scene.payment(gateway)) { _ in
                try await scene.publishOrder(
                    properties: MessageProperties(
                        contentType: "application/json", headers: ["traceparent": .string(trace), "mine": 5],
                        correlationID: "c-1", messageID: "m-1", timestamp: 7, type: "order", appID: "order-generator"))
                try await scene.waits(for: 1, in: "\(Self.queue).dlq")
            }
            let letter = try await scene.take(from: "\(Self.queue).dlq")
            let headers = letter.properties.headers
            #expect(headers["x-error"] == "exhausted" && headers["x-attempts"] == 6)
            #expect(gateway.calls.withLock { $0 } == 6)
            #expect(headers["x-reason"] == "no connection to the gateway (call 6)")
            #expect(headers["x-original-exchange"] == "orders" && headers["x-original-queue"] == .string(Self.queue))
            let first = try #require(headers["x-first-failed-at"]?.text.flatMap { Timestamp($0) })
            // The first failure of three deliveries, 150 ms before the last.
            #expect(first >= Timestamp(clamping: began.milliseconds - 1000))
            #expect(Timestamp.now().milliseconds - first.milliseconds >= 100)
            #expect(headers["traceparent"] == .string(trace) && headers["mine"] == 5)
            #expect(headers["x-retries"] == nil)
            let properties = letter.properties
            #expect(properties.correlationID == "c-1" && properties.messageID == "m-1" && properties.timestamp == 7)
            #expect(properties.type == "order" && properties.appID == "order-generator")
            #expect(try Order(json: letter.body).orderID == 1)
            #expect(try await scene.isEmpty())

            // It gets all its attempts again, and keeps when it first failed.
            try await scene.publisher.publish(DeadLetter.replayed(letter), to: .queue(Self.queue))
            let again = FailingGateway(failures: .max)
            try await scene.running(scene.payment(again)) { _ in try await scene.waits(for: 1, in: "\(Self.queue).dlq")
            }
            let second = try await scene.take(from: "\(Self.queue).dlq")
            #expect(again.calls.withLock { $0 } == 6)
            #expect(second.properties.headers["x-attempts"] == 6)
            #expect(second.properties.headers["x-first-failed-at"] == headers["x-first-failed-at"])
            #expect(second.properties.headers["x-original-exchange"] == "orders")
        }
    }

    /// A gateway that hangs is a failure of the message's; to give it back each time would go on without end.
    @Test(.timeLimit(.minutes(1))) func `what is in work for too long fails, and is not given back`() async throws {
        try await StageScene.with { scene in
            try await scene.running(scene.payment(SilentGateway()), handlerTimeout: .milliseconds(200)) { _ in
                try await scene.publishOrder()
                try await scene.waits(for: 1, in: "\(Self.queue).dlq")
            }
            #expect(scene.settled("requeued") == 0 && scene.settled("retried") == 2)
            let letter = try await scene.take(from: "\(Self.queue).dlq")
            #expect(letter.properties.headers["x-error"] == "exhausted" && letter.properties.headers["x-attempts"] == 3)
        }
    }

    @Test(.timeLimit(.minutes(1))) func `what is in work when the drain time is over goes back once`() async throws {
        try await StageScene.with { scene in
            let error = await #expect(throws: AMQPError.self) {
                try await scene.running(scene.payment(SilentGateway()), drainTimeout: .milliseconds(100)) { _ in
                    try await scene.publishOrder()
                    try await eventually("it is in work") { scene.workInHand.count == 1 }
                }
            }
            #expect(error?.code == .drainTimedOut)
            try await scene.waits(for: 1, in: Self.queue)
            #expect(scene.settled("requeued") == 1 && scene.settled("retried") == 0)
            let message = try await scene.take(from: Self.queue)
            #expect(message.properties.headers["x-attempts"] == nil)
        }
    }

    @Test(.timeLimit(.minutes(1))) func `a full queue ahead loses nothing, makes no loop, and is told`() async throws {
        try await StageScene.with { topology in
            topology.queues.removeAll { $0.name == "fulfillment_processor_queue" }
            topology.queues.append(
                Queue(
                    "fulfillment_processor_queue", arguments: ["x-max-length": 1, "x-overflow": "reject-publish"]
                ).bound(to: "payments"))
        } _: { scene in
            let gateway = FailingGateway(failures: 0)
            try await scene.running(scene.payment(gateway)) { _ in
                try await scene.publishOrder(1, properties: MessageProperties(correlationID: "c-1"))
                try await scene.waits(for: 1, in: "fulfillment_processor_queue")
                #expect(scene.publisher.refusal == nil)
                try await scene.publishOrder(2, properties: MessageProperties(correlationID: "c-2"))
                try await eventually("the refusal is told") {
                    scene.publisher.refusal?.contains("publishing is refused: the exchange 'payments'") == true
                }
                try await scene.waits(for: 1, in: "\(Self.queue).dlq")
                // Room again.
                _ = try await scene.take(from: "fulfillment_processor_queue")
                try await scene.publishOrder(3, properties: MessageProperties(correlationID: "c-3"))
                try await scene.waits(for: 1, in: "fulfillment_processor_queue")
                try await eventually("the refusal is over") { scene.publisher.refusal == nil }
            }
            #expect(scene.settled("requeued") == 0)
            let letter = try await scene.take(from: "\(Self.queue).dlq")
            #expect(letter.properties.correlationID == "c-2" && letter.properties.headers["x-error"] == "exhausted")
            // Two attempts for each of three deliveries.
            #expect(letter.properties.headers["x-attempts"] == 6)
            #expect(gateway.calls.withLock { $0 } == 5)
        }
    }

    @Test(.timeLimit(.minutes(1))) func `what not even a retry queue takes stays in hand until one does`() async throws
    {
        try await withFullRetryQueue { scene in
            try await scene.running(scene.payment(FailingGateway(failures: .max))) { _ in
                try await scene.publishOrder()
                try await eventually("the refusal is told") {
                    scene.publisher.refusal?.contains("the queue '\(Self.retries)'") == true
                }
                // In hand: neither ready anywhere, nor handed out again and again.
                #expect(scene.workInHand.count == 1)
                #expect(try await scene.isEmpty())
                #expect(scene.settled("requeued") == 0 && scene.settled("retried") == 0)
                try await scene.broker.rabbitmqctl(["clear_policy", "-p", scene.virtualHost, "full"])
                try await scene.waits(for: 1, in: Self.retries)
                try await eventually("it is acknowledged") { scene.settled("retried") == 1 }
            }
            #expect(scene.settled("requeued") == 0)
            #expect(scene.publisher.refusal == nil)
        }
    }

    @Test(.timeLimit(.minutes(1))) func `a right that is missing for good ends the service, and the message goes back`()
        async throws
    {
        try await StageScene.with { scene in
            try await scene.publisher.publish(Message(text: "no order"), to: StageScene.exchange)
            try await scene.broker.rabbitmqctl([
                "set_permissions", "-p", scene.virtualHost, "guest", ".*", "^(orders|payments)$", ".*",
            ])
            let error = await #expect(throws: AMQPError.self) {
                try await scene.running(scene.payment(FailingGateway(failures: 0)), patience: .milliseconds(500)) {
                    task in
                    try await task.value
                }
            }
            #expect(error?.code == .accessRefused, "\(String(describing: error))")
            try await scene.waits(for: 1, in: Self.queue)
            #expect(scene.settled("requeued") == 1)
        }
    }

    @Test(.timeLimit(.minutes(1))) func `a right that comes back in time ends nothing`() async throws {
        try await StageScene.with { scene in
            try await scene.publisher.publish(Message(text: "no order"), to: StageScene.exchange)
            func allow(_ write: String) async throws {
                try await scene.broker.rabbitmqctl([
                    "set_permissions", "-p", scene.virtualHost, "guest", ".*", write, ".*",
                ])
            }
            try await allow("^(orders|payments)$")
            try await scene.running(scene.payment(FailingGateway(failures: 0)), patience: .seconds(60)) { _ in
                try await eventually("the refusal is told") { scene.publisher.refusal != nil }
                try await allow(".*")
                try await scene.waits(for: 1, in: "\(Self.queue).dlq")
            }
            #expect(scene.settled("requeued") == 0)
        }
    }

    /// The exit code has to say what the operator must mend, not what came of it.
    @Test(.timeLimit(.minutes(1))) func `a refusal that ends the service is told though the drain ran out of time`()
        async throws
    {
        try await StageScene.with { scene in
            try await scene.broker.rabbitmqctl([
                "set_permissions", "-p", scene.virtualHost, "guest", ".*", "^(orders|payments)$", ".*",
            ])
            let error = await #expect(throws: AMQPError.self) {
                try await scene.running(
                    scene.payment(SilentGateway()), patience: .milliseconds(500), drainTimeout: .milliseconds(100)
                ) { task in
                    try await scene.publishOrder()
                    try await eventually("it is in work") { scene.workInHand.count == 1 }
                    try await scene.publisher.publish(Message(text: "no order"), to: StageScene.exchange)
                    try await task.value
                }
            }
            #expect(error?.code == .accessRefused, "\(String(describing: error))")
        }
    }

    @Test(.timeLimit(.minutes(1))) func `a message that was in work for too long does not outlive the drain`()
        async throws
    {
        try await withFullRetryQueue { scene in
            let error = await #expect(throws: AMQPError.self) {
                try await scene.running(
                    scene.payment(SilentGateway()), drainTimeout: .milliseconds(300), handlerTimeout: .milliseconds(200)
                ) { _ in
                    try await scene.publishOrder()
                    try await eventually("the refusal is told") { scene.publisher.refusal != nil }
                }
            }
            #expect(error?.code == .drainTimedOut)
            try await eventually("it is in hand no more") { scene.workInHand.count == 0 }
            try await scene.waits(for: 1, in: Self.queue)
        }
    }

    @Test(.timeLimit(.minutes(1))) func `once a right is missing for good nobody waits for it any longer`() async throws
    {
        try await StageScene.with { scene in
            try await scene.broker.rabbitmqctl([
                "set_permissions", "-p", scene.virtualHost, "guest", ".*", "^payments$", ".*",
            ])
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            @Sendable func publish(patience: Duration) async throws {
                try await PatientPublisher(scene.publisher, patience: patience, logger: logger).publish(
                    Message(text: "an order"), to: StageScene.exchange, refusals: .steadfast, [:])
            }
            let patient = Task { try await publish(patience: .seconds(3600)) }
            try await eventually("it waits") { scene.publisher.refusal != nil }
            await #expect(throws: AMQPError.self) { try await publish(patience: .milliseconds(200)) }
            let error = await #expect(throws: AMQPError.self) { try await patient.value }
            #expect(error?.code == .accessRefused)
        }
    }
}
