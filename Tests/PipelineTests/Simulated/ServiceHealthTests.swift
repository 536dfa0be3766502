import ActorBus
import ActorBusTesting
import Testing

@testable import Pipeline

/// What `/readyz` says of a service as things come and go, in virtual time.
@Suite(.timeLimit(.minutes(1))) struct ServiceHealthTests {
    private static let seeds: [UInt64] = [1, 2, 3]
    private static let queue = PipelineQueue.payment.rawValue

    /// A payment service that was ready once.
    private static func ready(
        seed: UInt64,
        _ body: @escaping @Sendable (SimulatedBroker, SimulatedWorld, SimulatedService) async throws -> Void
    ) async throws {
        try await withSimulatedBroker(seed: seed) { broker, simulated in
            let service = SimulatedService.payment(
                ScriptedGateway(then: .charged, in: simulated.world), in: simulated)
            #expect(service.trouble == "connecting to the broker")
            _ = service.start(on: broker.patientConfiguration)
            try await service.waits(for: nil)
            // Both connections, and the consumer.
            #expect(broker.connections.count == 2 && broker.consumers(of: Self.queue) == 1)
            try await body(broker, simulated, service)
            service.stop()
            #expect(service.trouble == "draining")
            try await service.end()
            #expect(service.trouble == "draining" && broker.connections.isEmpty)
        }
    }

    @Test(arguments: seeds) func `it is ready once every connection is open and the consumer registered`(
        seed: UInt64
    ) async throws {
        try await Self.ready(seed: seed) { _, _, _ in }
    }

    @Test(arguments: seeds) func `a broken connection is told, and is back by itself`(seed: UInt64) async throws {
        try await Self.ready(seed: seed) { _, simulated, service in
            simulated.network.shutDown("broker")
            try await service.waits(for: "the connection to the broker is being restored")
            simulated.network.startAgain("broker")
            try await service.waits(for: nil)
        }
    }

    @Test(arguments: seeds) func `a frozen broker is noticed after two heartbeats`(seed: UInt64) async throws {
        try await Self.ready(seed: seed) { _, simulated, service in
            simulated.network.freeze("broker")
            let began = simulated.elapsed
            try await service.waits(for: "being restored")
            #expect((.seconds(30) ..< .seconds(65)).contains(simulated.elapsed - began))
            simulated.network.thaw("broker")
            try await service.waits(for: nil)
        }
    }

    @Test(arguments: seeds) func `a consumer whose queue is deleted is told, and is back once it is declared`(
        seed: UInt64
    ) async throws {
        try await Self.ready(seed: seed) { broker, simulated, service in
            broker.deleteQueue(Self.queue)
            try await service.waits(for: "0 of 1 consumers are registered")
            try await service.waits(for: nil)
            #expect(broker.consumers(of: Self.queue) == 1)
        }
    }

    /// What is published would be routed past it and confirmed.
    @Test(arguments: seeds) func `a queue that the broker does not take again is named`(seed: UInt64) async throws {
        try await Self.ready(seed: seed) { broker, simulated, service in
            // It comes back as another one.
            let odd = Topology(queues: [
                Queue(PipelineQueue.fulfillment.rawValue, arguments: ["x-max-length": 5])
            ])
            broker.deleteQueue(PipelineQueue.fulfillment.rawValue)
            try await withConnection(to: broker.configuration, topology: odd, logger: SimulatedScene.logger) { _ in }
            simulated.network.breakConnections(to: "broker")
            try await service.waits(for: "the queue '\(PipelineQueue.fulfillment.rawValue)' cannot be declared again")
            broker.deleteQueue(PipelineQueue.fulfillment.rawValue)
            try await service.waits(for: nil)
        }
    }

    @Test(arguments: seeds) func `a refusal of what it publishes is told until something is taken`(seed: UInt64)
        async throws
    {
        try await Self.ready(seed: seed) { broker, simulated, service in
            for queue in [PipelineQueue.fulfillment, .paymentNotices] { broker.deleteQueue(queue.rawValue) }
            try await SimulatedService.publishOrders(1, to: broker, in: simulated)
            try await service.waits(for: "publishing is refused: the exchange 'payments'")
            // It declares them again by itself.
            try await service.waits(for: nil)
            #expect(broker.published(to: "payments").count == 2)
        }
    }

    /// An alarm is the broker's, and another replica would not fare better.
    @Test(arguments: seeds) func `an alarm of the broker leaves a service ready`(seed: UInt64) async throws {
        try await Self.ready(seed: seed) { broker, simulated, service in
            broker.setMemoryAlarm(true)
            try await simulated.sleep(for: .seconds(120))
            #expect(service.trouble == nil)
            broker.setMemoryAlarm(false)
            try await simulated.sleep(for: .seconds(5))
            #expect(service.trouble == nil)
        }
    }
}
