import ActorBus
import LocalBroker
import Logging
import Testing

@testable import Pipeline

@Suite(.serialized) struct EventPublisherTests {
    private static let queue = "payment_processor_queue"

    /// RabbitMQ confirms a message that it routed past a queue which is not there.
    @Test(.timeLimit(.minutes(1))) func `nothing is published past a queue that is left out after a recovery`()
        async throws
    {
        try await StageScene.with { scene in
            // The queue comes back as another one, so no recovery can declare and bind it.
            try await scene.broker.rabbitmqctl(["delete_queue", "-p", scene.virtualHost, Self.queue])
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            var elsewhere = scene.connection.configuration
            elsewhere.name = "elsewhere"
            let odd = Topology(queues: [Queue(Self.queue, arguments: ["x-max-length": 5])])
            try await withConnection(to: elsewhere, topology: odd, logger: logger) { _ in }
            try await scene.broker.rabbitmqctl(["close_all_connections", "--vhost", scene.virtualHost, "test"])
            try await eventually("it is told") { scene.publisher.refusal?.contains("'\(Self.queue)'") == true }

            let error = await #expect(throws: AMQPError.self) { try await scene.publishOrder(1) }
            #expect(error?.code == .timedOut, "\(String(describing: error))")
            #expect(error?.message.contains(Self.queue) == true)
            // What is not bound to it goes on.
            try await scene.publisher.publish(Message(text: "a payment"), to: .exchange("payments"))

            let patient = PatientPublisher(scene.publisher, patience: .seconds(10), logger: logger)
            async let waiting: Void = patient.publish(
                Message(text: "an order"), to: StageScene.exchange, refusals: .inPlace, [:])
            try await scene.broker.rabbitmqctl(["delete_queue", "-p", scene.virtualHost, Self.queue])
            try await waiting
            try await scene.waits(for: 1, in: Self.queue)
            try await scene.waits(for: 1, in: "notifications_orders_queue")
            #expect(scene.publisher.refusal == nil)
        }
    }

    @Test(.timeLimit(.minutes(1))) func `a hundred messages that need a queue again declare it once`() async {
        let restoration = TopologyRestoration(patience: .seconds(30))
        let attempts = Lock<Int>(0)
        let gate = StopSignal()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<100 {
                group.addTask {
                    let refusal = await restoration.restore(.exchange("orders")) {
                        attempts.withLock { $0 += 1 }
                        await gate.sleep(for: .seconds(30))
                        return AMQPError(.accessRefused, "not allowed")
                    }
                    #expect(refusal?.code == .accessRefused)
                }
            }
            group.addTask {
                // All of them have had their turn by then.
                for _ in 0..<1000 { await Task.yield() }
                gate.stop()
            }
        }
        #expect(attempts.withLock { $0 } < 5)
    }

    @Test(.timeLimit(.minutes(1))) func `a broker that does not answer holds a message for a bounded time`() async {
        let restoration = TopologyRestoration(patience: .milliseconds(50))
        let gate = StopSignal()
        let refusal = await restoration.restore(.queue("a")) {
            await gate.sleep(for: .seconds(3600))
            return nil
        }
        #expect(refusal == nil)
        gate.stop()
    }

    /// That the queue is not there would be waited for without an end.
    @Test(.timeLimit(.minutes(1))) func `a queue that may not be declared again is a right that is missing`()
        async throws
    {
        try await StageScene.with { scene in
            let target = PublishTarget.queue("\(Self.queue).retry.0.05")
            try await scene.broker.rabbitmqctl([
                "set_permissions", "-p", scene.virtualHost, "guest", "^nothing$", ".*", ".*",
            ])
            try await scene.broker.rabbitmqctl(["delete_queue", "-p", scene.virtualHost, "\(Self.queue).retry.0.05"])
            let error = await #expect(throws: AMQPError.self) {
                try await scene.publisher.publish(Message(text: "later"), to: target)
            }
            #expect(error?.code == .accessRefused, "\(String(describing: error))")
            #expect(scene.publisher.refusal?.contains("access") == true, "\(scene.publisher.refusal ?? "none")")
        }
    }

    @Test func `only what a message needs is declared again`() {
        let all = PipelineTopology.all(.classic)
        let orders = all.part(for: .exchange("orders"))
        #expect(orders.exchanges.map(\.name) == ["orders"])
        #expect(orders.queues.map(\.name) == [Self.queue, "notifications_orders_queue"])
        #expect(all.part(for: .queue("\(Self.queue).dlq")).queues.map(\.name) == ["\(Self.queue).dlq"])
        #expect(all.part(for: .queue("\(Self.queue).dlq")).exchanges.isEmpty)
    }
}
