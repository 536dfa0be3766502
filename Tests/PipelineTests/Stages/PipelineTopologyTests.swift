import ActorBus
import Pipeline
import Testing

@Suite struct PipelineTopologyTests {
    private static let bindings = [
        "payment_processor_queue": "orders", "notifications_orders_queue": "orders",
        "fulfillment_processor_queue": "payments", "notifications_payments_queue": "payments",
        "notifications_shipments_queue": "shipments",
    ]

    @Test func `is what the original declares, with dead-letter and retry queues beside each queue`() {
        let topology = PipelineTopology.all(.classic)
        #expect(topology.exchanges.map(\.name) == ["orders", "payments", "shipments"])
        #expect(
            topology.exchanges.allSatisfy { $0.kind == .fanout && $0.durable && !$0.autoDelete && $0.arguments.isEmpty }
        )
        #expect(topology.queues.count == 35)
        #expect(topology.queues.allSatisfy { $0.durable && !$0.exclusive && !$0.autoDelete })
        for (name, exchange) in Self.bindings {
            let queue = topology.queues.first { $0.name == name }
            #expect(queue?.bindings.map(\.exchange) == [exchange])
            #expect(queue?.bindings.map(\.routingKey) == [""])
            #expect(
                queue?.declaredArguments == [:], "arguments would make it another queue than the original's")
            let letters = topology.queues.first { $0.name == "\(name).dlq" }
            #expect(letters?.bindings == [] && letters?.declaredArguments == [:])
        }
    }

    @Test(arguments: QueueType.allCases)
    func `what waits in a retry queue goes back to its queue, and stays until that has confirmed it`(type: QueueType) {
        let topology = PipelineTopology.all(type)
        for name in Self.bindings.keys {
            for (seconds, milliseconds) in [
                ("1", 1_000), ("5", 5_000), ("30", 30_000), ("120", 120_000), ("600", 600_000),
            ] {
                let queue = topology.queues.first { $0.name == "\(name).retry.\(seconds)" }
                #expect(queue?.bindings == [])
                #expect(
                    queue?.declaredArguments == [
                        "x-queue-type": "quorum", "x-message-ttl": .int64(Int64(milliseconds)),
                        "x-dead-letter-exchange": "", "x-dead-letter-routing-key": .string(name),
                        "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
                    ])
            }
        }
    }

    @Test func `quorum queues move to the dead-letter queue what their delivery limit would destroy`() {
        let topology = PipelineTopology.all(.quorum)
        #expect(topology.queues.map(\.name) == PipelineTopology.all(.classic).queues.map(\.name))
        for (name, exchange) in Self.bindings {
            let queue = topology.queues.first { $0.name == name }
            #expect(queue?.bindings.map(\.exchange) == [exchange])
            #expect(
                queue?.declaredArguments == [
                    "x-queue-type": "quorum", "x-dead-letter-exchange": "",
                    "x-dead-letter-routing-key": .string("\(name).dlq"),
                    "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
                ])
            let letters = topology.queues.first { $0.name == "\(name).dlq" }
            #expect(letters?.declaredArguments == ["x-queue-type": "quorum"])
        }
        // RabbitMQ 3.10 takes -1 and 0 for a limit that the first return exceeds.
        #expect(topology.queues.allSatisfy { $0.declaredArguments["x-delivery-limit"] == nil })
    }
}
