import ActorBus
import ActorBusTesting
import Logging
import Testing

@testable import Pipeline

/// Services as they are, in virtual time, on a broker in memory.
@Suite(.timeLimit(.minutes(2))) struct SimulatedServicesTests {
    /// What a run came to.
    private struct Outcome: Equatable {
        var trace: UInt64
        /// The payments that were published, each with how often.
        var payments: [String: Int]
        var elapsed: Duration
    }

    /// Two payment replicas work on orders while the network breaks and the broker is away for a while.
    private static func run(seed: UInt64) async throws -> Outcome {
        let simulated = SimulatedWorld(seed: seed)
        let broker = SimulatedBroker()
        simulated.network.serve(broker, at: "broker")
        let configuration = simulated.configuration(of: "broker")
        // Nothing is tried later here.
        var topology = PipelineTopology.all(.classic)
        topology.queues.removeAll { $0.name.contains(".retry.") }
        let pace = Pace(try SecondsRange("0.5-2.0"), speed: try Speed("1"))
        try await simulated.run { [world = simulated.world, topology] in
            let context = ServiceContext(
                .payment, topology: topology, drain: DrainTime(.seconds(25), in: world),
                observer: PipelineObserver { _ in }, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                in: world)
            let gateway = SimulatedPaymentGateway(
                decisions: Decisions(seed: seed, successRate: 0.9), pace: pace, in: world)
            let service = PaymentService(
                context, gateway: gateway, replicas: 2, intake: Intake(prefetch: 1, concurrency: 1))
            let serving = simulated.task { try await service.run(on: configuration) }
            try await withConnection(to: configuration, topology: topology) { connection in
                let publisher = try await connection.publisher()
                for number in 1...20 as ClosedRange<Int64> {
                    try await publisher.publish(order(number, at: world.timestamp), to: "orders")
                    if number == 7 { simulated.network.breakConnections(to: "broker") }
                    if number == 14 {
                        simulated.network.shutDown("broker")
                        try await simulated.sleep(for: .seconds(40))
                        simulated.network.startAgain("broker")
                    }
                }
            }
            try await broker.wait { payments(of: $0).count == 20 }
            serving.cancel()
            try await serving.value
            #expect(broker.depth(of: "payment_processor_queue") == 0)
        }
        #expect(simulated.leftovers.isEmpty)
        return Outcome(trace: simulated.trace, payments: payments(of: broker), elapsed: simulated.elapsed)
    }

    private static func order(_ number: Int64, at time: Timestamp) -> Message {
        let order = Order(
            orderID: number, customerEmail: "a@example.com", items: [], totalAmount: Money(cents: 1250) ?? .zero,
            currency: "EUR", timestamp: time)
        return Message(
            body: order.encoded(),
            properties: MessageProperties(deliveryMode: .persistent, correlationID: "order-\(number)"))
    }

    private static func payments(of broker: SimulatedBroker) -> [String: Int] {
        var payments: [String: Int] = [:]
        for published in broker.published where published.exchange == "payments" {
            payments[published.message.properties.correlationID ?? "?", default: 0] += 1
        }
        return payments
    }

    @Test func `every order is paid, whatever the network does meanwhile`() async throws {
        for seed in 1...5 as ClosedRange<UInt64> {
            let outcome = try await Self.run(seed: seed)
            #expect(outcome.payments.count == 20)
            // Twenty of half a second or more, two at a time, and the broker was away for forty.
            #expect(outcome.elapsed > .seconds(45))
        }
    }

    @Test func `the same seed gives the same run`() async throws {
        let (first, second) = (try await Self.run(seed: 3), try await Self.run(seed: 3))
        #expect(first == second)
    }
}
