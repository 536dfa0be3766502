import ActorBus
import ActorBusTesting
import Testing

@testable import Pipeline

/// Each way in which a message can leave a stage, in virtual time.
@Suite(.timeLimit(.minutes(1))) struct StageOutcomeTests {
    private static let seeds: [UInt64] = [1, 2, 3]
    private static let queue = PipelineQueue.payment.rawValue
    private static let letters = PipelineQueue.payment.deadLetterQueue

    // MARK: Done

    @Test(arguments: seeds) func `an order is acknowledged once its payment is confirmed, and not before`(
        seed: UInt64
    ) async throws {
        try await SimulatedScene.with(seed: seed) { scene in
            let broker = scene.broker
            broker.setSyncTime(.milliseconds(500))
            let running = scene.start(scene.payment(ScriptedGateway(then: .charged, in: scene.world)))
            try await scene.publishOrder()
            try await broker.wait { $0.published(to: "payments").count == 1 }
            #expect(broker.unsettled(of: Self.queue)?.count == 1)
            #expect(scene.count("payments_processed_total") == 0)
            try await broker.waitUntilSettled(Self.queue)
            #expect(broker.settled(in: Self.queue, as: .acknowledged).count == 1)
            #expect(scene.settled(.acknowledged) == 1 && scene.count("payments_processed_total") == 1)
            let payment = try #require(broker.published(to: "payments").first)
            #expect(payment.properties.messageID == "order-1/payment")
            #expect(payment.properties.correlationID == "order-1" && payment.properties.deliveryMode == .persistent)
            try await scene.drain(running)
        }
    }

    @Test(arguments: seeds) func `an order that comes twice is paid alike, and counted once`(seed: UInt64) async throws
    {
        try await SimulatedScene.with(seed: seed) { scene in
            let running = scene.start(scene.payment(ScriptedGateway(then: .charged, in: scene.world)))
            let order = scene.order(1)
            for _ in 1...2 { try await scene.publisher.publish(order, to: SimulatedScene.orders) }
            try await scene.broker.wait { $0.settled(in: Self.queue, as: .acknowledged).count == 2 }
            let payments = scene.broker.published(to: "payments")
            #expect(payments.count == 2 && payments[0].body == payments[1].body)
            #expect(scene.count("payments_processed_total") == 1)
            try await scene.drain(running)
        }
    }

    @Test func `what there is nothing to do about is acknowledged`() async throws {
        try await SimulatedScene.with { scene in
            let stage = FulfillmentStage(
                carrier: SimulatedCarrier(
                    decisions: Decisions(seed: 1, successRate: 1),
                    pace: Pace(try SecondsRange("1-3"), speed: .real), in: scene.world),
                metrics: FulfillmentMetrics(factory: scene.registry), in: scene.world)
            let running = scene.start(stage)
            let declined = SampleMessages.changed(SampleMessages.payment, "status", to: "\"failed\"")
            try await scene.publisher.publish(Message(body: declined), to: .exchange("payments"))
            let queue = PipelineQueue.fulfillment.rawValue
            try await scene.broker.wait { $0.settled(in: queue, as: .acknowledged).count == 1 }
            #expect(scene.broker.published(to: "shipments").isEmpty)
            try await scene.drain(running)
        }
    }

    // MARK: Dead letters

    @Test(arguments: seeds) func `what cannot be read is acknowledged once it is a dead letter`(seed: UInt64)
        async throws
    {
        try await SimulatedScene.with(seed: seed) { scene in
            let broker = scene.broker
            broker.setSyncTime(.milliseconds(500))
            let running = scene.start(scene.payment(ScriptedGateway(then: .charged, in: scene.world)))
            try await scene.publisher.publish(Message(text: "no order"), to: SimulatedScene.orders)
            try await broker.wait { $0.depth(of: Self.letters) == 1 }
            #expect(broker.unsettled(of: Self.queue)?.count == 1)
            try await broker.waitUntilSettled(Self.queue)
            let letter = try #require(broker.messages(in: Self.letters)?.first)
            let headers = letter.properties.headers
            #expect(String(decoding: letter.body, as: UTF8.self) == "no order")
            #expect(headers["x-error"] == "malformed" && headers["x-attempts"] == 1)
            #expect(headers["x-original-queue"] == .string(Self.queue) && headers["x-original-exchange"] == "orders")
            #expect(scene.settled(.deadLettered) == 1 && broker.published(to: "payments").isEmpty)
            try await scene.drain(running)
        }
    }

    @Test(arguments: seeds) func `what always fails is tried eighteen times in thirteen minutes, and is exhausted`(
        seed: UInt64
    ) async throws {
        try await SimulatedScene.with(seed: seed) { scene in
            let gateway = ScriptedGateway(then: .unavailable, in: scene.world)
            let running = scene.start(scene.payment(gateway))
            let began = scene.simulated.elapsed
            try await scene.publishOrder()
            try await scene.broker.wait { $0.depth(of: Self.letters) == 1 }
            // Three in place for each of six deliveries, 1 + 5 + 30 + 120 + 600 s apart.
            #expect(gateway.calls == 18 && scene.retries == [3, 6, 9, 12, 15])
            #expect((.seconds(756) ..< .seconds(762)).contains(scene.simulated.elapsed - began))
            let headers = try #require(scene.broker.messages(in: Self.letters)?.first).properties.headers
            #expect(headers["x-error"] == "exhausted" && headers["x-attempts"] == 18)
            #expect(headers["x-reason"] == "no connection to the gateway (call 18)")
            #expect(headers["x-original-exchange"] == "orders" && headers["x-retries"] == nil)
            try await scene.drain(running)
            #expect(scene.settled(.retried) == 5 && scene.settled(.deadLettered) == 1 && scene.settled(.requeued) == 0)
        }
    }

    // MARK: Later

    @Test(arguments: seeds) func `what fails for now comes back, and is done`(seed: UInt64) async throws {
        try await SimulatedScene.with(seed: seed) { scene in
            let gateway = ScriptedGateway(
                Array(repeating: .unavailable, count: 7), then: .charged, in: scene.world)
            let running = scene.start(scene.payment(gateway))
            try await scene.publishOrder()
            try await scene.broker.wait { $0.published(to: "payments").count == 1 }
            #expect(gateway.calls == 8 && scene.retries == [3, 6])
            let headers = try #require(scene.broker.published(to: "payments").first).properties.headers
            #expect(headers["x-attempts"] == nil && headers["x-retries"] == nil)
            try await scene.drain(running)
            #expect(scene.settled(.acknowledged) == 1 && scene.broker.depth(of: Self.letters) == 0)
        }
    }

    @Test func `what is in work for too long fails, and is not given back`() async throws {
        try await SimulatedScene.with { scene in
            let gateway = ScriptedGateway(then: .silence, in: scene.world)
            let running = scene.start(
                scene.payment(gateway),
                intake: Intake(prefetch: 1, concurrency: 1, handlerTimeout: .seconds(20)))
            try await scene.publishOrder()
            try await scene.broker.wait { $0.depth(of: Self.letters) == 1 }
            #expect(gateway.calls == 6 && scene.settled(.requeued) == 0)
            let headers = try #require(scene.broker.messages(in: Self.letters)?.first).properties.headers
            #expect(headers["x-error"] == "exhausted" && headers["x-attempts"] == 6)
            try await scene.drain(running)
        }
    }

    @Test func `a refused event waits in a retry queue, with its attempts counted`() async throws {
        try await SimulatedScene.with { topology in
            topology.queues.removeAll { $0.name == PipelineQueue.fulfillment.rawValue }
            topology.queues.append(
                Queue(
                    PipelineQueue.fulfillment.rawValue,
                    arguments: ["x-max-length": 1, "x-overflow": "reject-publish"]
                ).bound(to: "payments"))
        } _: { scene in
            let running = scene.start(scene.payment(ScriptedGateway(then: .charged, in: scene.world)))
            try await scene.publishOrder(1)
            try await scene.broker.waitUntilSettled(Self.queue)
            #expect(scene.publisher.refusal == nil)
            try await scene.publishOrder(2)
            try await scene.eventually("it waits") { scene.retries == [3] }
            #expect(scene.publisher.refusal?.contains("the exchange 'payments'") == true)
            #expect(scene.confirms(.refused) == 3)
            // Room again: the retry is taken, and the refusal is over.
            scene.broker.deleteQueue(PipelineQueue.fulfillment.rawValue)
            try await scene.connection.declare(PipelineTopology.all(.classic).part(for: .exchange("payments")))
            try await scene.broker.wait { $0.settled(in: Self.queue, as: .acknowledged).count == 3 }
            #expect(scene.publisher.refusal == nil && scene.settled(.requeued) == 0)
            try await scene.drain(running)
        }
    }

    // MARK: Rights

    @Test(arguments: seeds) func `a missing right that comes back within a minute ends nothing`(seed: UInt64)
        async throws
    {
        try await SimulatedScene.with(seed: seed) { scene in
            let gateway = ScriptedGateway(then: .charged, in: scene.world)
            let running = scene.start(scene.payment(gateway))
            scene.broker.allow(write: "^orders$|_queue")
            try await scene.publishOrder()
            try await scene.eventually("the refusal is told") { scene.publisher.refusal != nil }
            try await scene.simulated.sleep(for: .seconds(50))
            #expect(scene.workInHand.count == 1 && scene.broker.published(to: "payments").isEmpty)
            scene.broker.allow(write: ".*")
            try await scene.broker.wait { $0.settled(in: Self.queue, as: .acknowledged).count == 1 }
            #expect(scene.settled(.requeued) == 0 && scene.retries.isEmpty)
            try await scene.drain(running)
        }
    }

    @Test(arguments: seeds) func `a right that stays away ends the service after a minute, and the order is given back`(
        seed: UInt64
    ) async throws {
        try await SimulatedScene.with(seed: seed) { scene in
            let running = scene.start(scene.payment(ScriptedGateway(then: .charged, in: scene.world)))
            scene.broker.allow(write: "^orders$|_queue")
            try await scene.publishOrder()
            try await scene.eventually("the refusal is told") { scene.publisher.refusal != nil }
            let began = scene.simulated.elapsed
            let error = await #expect(throws: AMQPError.self) { try await running.value }
            #expect(error?.code == .accessRefused)
            #expect((.seconds(60) ..< .seconds(80)).contains(scene.simulated.elapsed - began))
            #expect(scene.settled(.requeued) == 1)
            try await scene.broker.wait { $0.depth(of: Self.queue) == 1 }
        }
    }

    // MARK: Given back

    @Test(arguments: seeds) func `an order whose connection is lost is done again, and settled once`(seed: UInt64)
        async throws
    {
        try await SimulatedScene.with(seed: seed) { scene in
            let gateway = ScriptedGateway(then: .chargedAfter(.seconds(5)), in: scene.world)
            let running = scene.start(scene.payment(gateway))
            try await scene.publishOrder()
            try await scene.eventually("it is in work") { scene.workInHand.count == 1 }
            scene.simulated.network.breakConnections(to: "broker")
            try await scene.broker.wait { $0.settled(in: Self.queue, as: .acknowledged).count == 1 }
            try await scene.drain(running)
            #expect(gateway.calls == 2 && scene.broker.published(to: "payments").count == 2)
            #expect(scene.broker.settled(in: Self.queue, as: .returned).count == 1)
            #expect(scene.broker.settled(in: Self.queue, as: .acknowledged).count == 1)
            #expect(scene.broker.depth(of: Self.queue) == 0 && scene.count("payments_processed_total") == 1)
        }
    }

    @Test(arguments: seeds) func `an order in work when the drain time is over goes back`(seed: UInt64) async throws {
        try await SimulatedScene.with(seed: seed) { scene in
            let running = scene.start(
                scene.payment(ScriptedGateway(then: .silence, in: scene.world)), drain: .seconds(10))
            try await scene.publishOrder()
            try await scene.eventually("it is in work") { scene.workInHand.count == 1 }
            let began = scene.simulated.elapsed
            running.cancel()
            let error = await #expect(throws: AMQPError.self) { try await running.value }
            #expect(error?.code == .drainTimedOut)
            #expect((.seconds(10) ..< .seconds(11)).contains(scene.simulated.elapsed - began))
            #expect(scene.settled(.requeued) == 1 && scene.retries.isEmpty)
            #expect(scene.broker.depth(of: Self.queue) == 1)
        }
    }
}
