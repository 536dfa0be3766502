import ActorBus
import ActorBusTesting
import Testing

@testable import Pipeline

/// Each answer that a publish can have, and how long it is waited for, in virtual time.
@Suite(.timeLimit(.minutes(1))) struct PublishOutcomeTests {
    private static let seeds: [UInt64] = [1, 2, 3]
    private static let queue = PipelineQueue.payment.rawValue

    private static func patient(_ scene: SimulatedScene) -> PatientPublisher {
        PatientPublisher(scene.publisher, patience: .seconds(60), logger: SimulatedScene.logger)
    }

    // MARK: One attempt

    @Test(arguments: seeds) func `it returns when the broker has confirmed`(seed: UInt64) async throws {
        try await SimulatedScene.with(seed: seed) { scene in
            scene.broker.setSyncTime(.seconds(2))
            let began = scene.simulated.elapsed
            try await scene.publishOrder()
            #expect(scene.simulated.elapsed - began >= .seconds(2))
            #expect(scene.confirms(.confirmed) == 1 && scene.publisher.refusal == nil)
        }
    }

    @Test(arguments: seeds) func `what no queue takes is returned, and the queues are declared again`(seed: UInt64)
        async throws
    {
        try await SimulatedScene.with(seed: seed) { scene in
            scene.broker.deleteQueue(PipelineQueue.shipmentNotices.rawValue)
            let shipment = Message(text: "a shipment")
            let error = await #expect(throws: AMQPError.self) {
                try await scene.publisher.publish(shipment, to: .exchange("shipments"))
            }
            #expect(error?.code == .returned && scene.confirms(.returned) == 1)
            #expect(scene.publisher.refusal?.contains("the exchange 'shipments'") == true)
            #expect(scene.broker.depth(of: PipelineQueue.shipmentNotices.rawValue) == 0)
            try await scene.publisher.publish(shipment, to: .exchange("shipments"))
            #expect(scene.publisher.refusal == nil)
        }
    }

    /// Whoever asks for the health of a service hears of a refusal until a message was taken there, and not longer than
    /// anything waits in a retry queue.
    @Test func `a refusal is told for eleven minutes`() async throws {
        try await SimulatedScene.with { topology in
            topology.queues.append(Queue("full", arguments: ["x-max-length": 0, "x-overflow": "reject-publish"]))
        } _: { scene in
            let error = await #expect(throws: AMQPError.self) {
                try await scene.publisher.publish(Message(text: "too much"), to: .queue("full"))
            }
            #expect(error?.code == .refused && scene.confirms(.refused) == 1)
            #expect(scene.publisher.refusal?.contains("the queue 'full'") == true)
            try await scene.simulated.sleep(for: .seconds(650))
            #expect(scene.publisher.refusal != nil)
            try await scene.simulated.sleep(for: .seconds(20))
            #expect(scene.publisher.refusal == nil)
        }
    }

    @Test(arguments: seeds) func `a message whose confirm does not come is maybe published`(seed: UInt64) async throws {
        try await SimulatedScene.with(seed: seed) { scene in
            scene.simulated.network.freeze("broker")
            let error = await #expect(throws: AMQPError.self) { try await scene.publishOrder() }
            #expect(error?.code == .maybePublished && scene.confirms(.unknown) == 1)
            // Nothing is known against the exchange.
            #expect(scene.publisher.refusal == nil)
        }
    }

    @Test(arguments: seeds) func `what is not sent while the broker blocks is surely not published`(seed: UInt64)
        async throws
    {
        try await SimulatedScene.with(seed: seed) { scene in
            scene.broker.setMemoryAlarm(true)
            // The broker tells a connection that publishes.
            let first = scene.simulated.task { try await scene.publishOrder(1) }
            try await scene.eventually("it is blocked") { scene.publishing.status.blocked != nil }
            let error = await #expect(throws: AMQPError.self) { try await scene.publishOrder(2) }
            #expect(error?.code == .timedOut)
            _ = await first.result
            scene.broker.setMemoryAlarm(false)
            try await scene.publishOrder(3)
            #expect(scene.broker.published(to: "orders").map(\.properties.correlationID).contains("order-2") == false)
        }
    }

    @Test func `a connection that is closed for good says so`() async throws {
        try await SimulatedScene.with { scene in
            await scene.publishing.close()
            let error = await #expect(throws: AMQPError.self) { try await scene.publishOrder() }
            #expect(error?.code == .connectionClosed)
            let again = await #expect(throws: AMQPError.self) {
                try await Self.patient(scene).publish(
                    scene.order(1), to: SimulatedScene.orders, refusals: .steadfast, [:])
            }
            #expect(again?.code == .connectionClosed)
        }
    }

    // MARK: Patience

    @Test(arguments: seeds) func `an hour without a broker is waited for, and ends with one message`(seed: UInt64)
        async throws
    {
        try await SimulatedScene.with(seed: seed) { scene in
            scene.simulated.network.shutDown("broker")
            let publishing = scene.simulated.task {
                try await Self.patient(scene).publish(
                    scene.order(1), to: SimulatedScene.orders, refusals: .inPlace, [:])
            }
            try await scene.simulated.sleep(for: .seconds(3_600))
            scene.simulated.network.startAgain("broker")
            try await publishing.value
            #expect(scene.broker.published(to: "orders").count == 1)
        }
    }

    /// Each attempt may be one more copy of the message, so pauses grow to five minutes.
    @Test(arguments: seeds) func `a broker that confirms nothing for an hour gets few copies`(seed: UInt64) async throws
    {
        try await SimulatedScene.with(seed: seed) { scene in
            scene.broker.setSyncTime(.seconds(3_600))
            let publishing = scene.simulated.task {
                try await Self.patient(scene).publish(
                    scene.order(1), to: SimulatedScene.orders, refusals: .inPlace, [:])
            }
            try await scene.simulated.sleep(for: .seconds(3_500))
            #expect((8...24).contains(scene.broker.published(to: "orders").count))
            #expect(scene.confirms(.unknown) >= 4)
            publishing.cancel()
            _ = await publishing.result
        }
    }

    @Test(arguments: seeds) func `a refusal is answered by as many attempts as are allowed`(seed: UInt64) async throws {
        try await SimulatedScene.with(seed: seed) { topology in
            topology.queues.append(Queue("full", arguments: ["x-max-length": 0, "x-overflow": "reject-publish"]))
        } _: { scene in
            let error = await #expect(throws: AMQPError.self) {
                try await Self.patient(scene).publish(
                    Message(text: "too much"), to: .queue("full"), refusals: .inPlace, [:])
            }
            #expect(error?.code == .refused && scene.confirms(.refused) == 3)
        }
    }

    /// Of many that wait, the first to have waited in vain ends the waiting of all.
    @Test(arguments: seeds) func `a right that is missing for a minute is missing for good`(seed: UInt64) async throws {
        try await SimulatedScene.with(seed: seed) { scene in
            scene.broker.allow(write: "_queue")
            let began = scene.simulated.elapsed
            let waiting = (1...5).map { number in
                scene.simulated.task {
                    try await scene.simulated.sleep(for: .seconds(10 * number))
                    try await Self.patient(scene).publish(
                        scene.order(Int64(number)), to: SimulatedScene.orders, refusals: .steadfast, [:])
                }
            }
            for task in waiting {
                let error = await #expect(throws: AMQPError.self) { try await task.value }
                #expect(error?.code == .accessRefused)
            }
            #expect((.seconds(70) ..< .seconds(90)).contains(scene.simulated.elapsed - began))
        }
    }
}
