import ActorBus
import ActorBusTesting
import Testing

@testable import Pipeline

/// What the stop signal ends and what it leaves alone, in virtual time.
@Suite(.timeLimit(.minutes(1))) struct DrainTests {
    private static let seeds: [UInt64] = [1, 2, 3]

    /// Runs `body` in a world of its own.
    private static func inWorld(
        seed: UInt64, _ body: @escaping @Sendable (SimulatedWorld) async throws -> Void
    ) async throws {
        let simulated = SimulatedWorld(seed: seed)
        try await simulated.run { try await body(simulated) }
        #expect(simulated.leftovers.isEmpty)
    }

    @Test(arguments: seeds) func `work in hand is finished after the stop signal`(seed: UInt64) async throws {
        try await Self.inWorld(seed: seed) { simulated in
            let finished = Lock(false)
            let draining = simulated.task {
                try await withDrain(within: DrainTime(.seconds(25), in: simulated.world)) { signal in
                    await signal.sleep(for: .seconds(3_600))
                    try await simulated.sleep(for: .seconds(20))
                    finished.withLock { $0 = true }
                }
            }
            try await simulated.sleep(for: .seconds(100))
            draining.cancel()
            try await draining.value
            #expect(finished.withLock { $0 })
            #expect((.seconds(120) ..< .seconds(121)).contains(simulated.elapsed))
        }
    }

    @Test(arguments: seeds) func `work that takes longer than the drain time is cancelled, and that is told`(
        seed: UInt64
    ) async throws {
        try await Self.inWorld(seed: seed) { simulated in
            let draining = simulated.task {
                try await withDrain(within: DrainTime(.seconds(25), in: simulated.world)) { _ in
                    try await simulated.sleep(for: .seconds(3_600))
                }
            }
            try await simulated.sleep(for: .seconds(100))
            draining.cancel()
            let error = await #expect(throws: AMQPError.self) { try await draining.value }
            #expect(error?.code == .drainTimedOut)
            #expect((.seconds(125) ..< .seconds(126)).contains(simulated.elapsed))
        }
    }

    @Test func `an error of the work is its own, and no drain`() async throws {
        try await Self.inWorld(seed: 1) { simulated in
            let draining = simulated.task {
                try await withDrain(within: DrainTime(.seconds(25), in: simulated.world)) { signal in
                    await signal.sleep(for: .seconds(3_600))
                    throw AMQPError(.connectionClosed, "the broker is gone")
                }
            }
            draining.cancel()
            let error = await #expect(throws: AMQPError.self) { try await draining.value }
            #expect(error?.code == .connectionClosed)
        }
    }

    /// The services of a process have the drain time once, together.
    @Test func `who is stopped later has what is left`() async throws {
        try await Self.inWorld(seed: 1) { simulated in
            let time = DrainTime(.seconds(25), in: simulated.world)
            try await simulated.sleep(for: .seconds(100))
            #expect(time.left == .seconds(25))
            try await simulated.sleep(for: .seconds(20))
            #expect((.seconds(4.9) ... .seconds(5)).contains(time.left))
            time.giveUp()
            #expect(time.left == .zero)
        }
    }

    // MARK: A service

    /// A payment service at work on one of three orders.
    private static func paying(
        seed: UInt64, _ answer: ScriptedGateway.Answer,
        _ body: @escaping @Sendable (SimulatedBroker, SimulatedWorld, SimulatedService) async throws -> Void
    ) async throws {
        try await withSimulatedBroker(seed: seed) { broker, simulated in
            let service = SimulatedService.payment(ScriptedGateway(then: answer, in: simulated.world), in: simulated)
            let running = service.start(on: broker.patientConfiguration)
            try await broker.wait { $0.consumers(of: PipelineQueue.payment.rawValue) == 1 }
            try await SimulatedService.publishOrders(3, to: broker, in: simulated)
            try await broker.wait { $0.unsettled(of: PipelineQueue.payment.rawValue)?.count == 1 }
            try await body(broker, simulated, running)
            #expect(broker.connections.isEmpty)
        }
    }

    @Test(arguments: seeds) func `a service that is stopped finishes what it has, and takes nothing more`(
        seed: UInt64
    ) async throws {
        try await Self.paying(seed: seed, .chargedAfter(.seconds(10))) { broker, simulated, service in
            let began = simulated.elapsed
            service.stop()
            #expect(service.health.readiness == .draining)
            try await service.end()
            #expect((.seconds(9) ..< .seconds(11)).contains(simulated.elapsed - began))
            #expect(broker.published(to: "payments").map(\.properties.correlationID) == ["order-1"])
            #expect(broker.settled(in: PipelineQueue.payment.rawValue, as: .acknowledged).count == 1)
            #expect(broker.depth(of: PipelineQueue.payment.rawValue) == 2)
        }
    }

    @Test(arguments: seeds) func `a service that cannot finish in time gives back what it has`(seed: UInt64)
        async throws
    {
        try await Self.paying(seed: seed, .silence) { broker, simulated, service in
            let began = simulated.elapsed
            service.stop()
            let error = await #expect(throws: AMQPError.self) { try await service.end() }
            #expect(error?.code == .drainTimedOut)
            #expect((.seconds(25) ..< .seconds(27)).contains(simulated.elapsed - began))
            #expect(broker.published(to: "payments").isEmpty)
            #expect(broker.depth(of: PipelineQueue.payment.rawValue) == 3)
        }
    }

    @Test(arguments: seeds) func `a service whose broker is away ends within the drain time`(seed: UInt64) async throws
    {
        try await Self.paying(seed: seed, .chargedAfter(.seconds(5))) { _, simulated, service in
            simulated.network.freeze("broker")
            try await simulated.sleep(for: .seconds(1))
            let began = simulated.elapsed
            service.stop()
            // Its payment cannot be confirmed.
            let error = await #expect(throws: AMQPError.self) { try await service.end() }
            #expect(error?.code == .drainTimedOut)
            #expect(simulated.elapsed - began < .seconds(32))
            simulated.network.thaw("broker")
            try await simulated.sleep(for: .seconds(120))
        }
    }

    @Test(arguments: seeds) func `a service that is stopped while it connects has nothing in hand`(seed: UInt64)
        async throws
    {
        try await withSimulatedBroker(seed: seed) { broker, simulated in
            simulated.network.shutDown("broker")
            let service = SimulatedService.payment(
                ScriptedGateway(then: .charged, in: simulated.world), in: simulated
            ).start(on: broker.patientConfiguration)
            try await simulated.sleep(for: .seconds(12))
            let began = simulated.elapsed
            service.stop()
            try await service.end()
            #expect(simulated.elapsed - began < .seconds(1))
        }
    }
}
