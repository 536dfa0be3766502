import ActorBus
import Pipeline
import Testing

@Suite struct PipelineTopologyTests {
    @Test func `is what the original declares, and a dead-letter queue beside each queue`() {
        let topology = PipelineTopology.all(.classic)
        #expect(topology.exchanges.map(\.name) == ["orders", "payments", "shipments"])
        #expect(
            topology.exchanges.allSatisfy { $0.kind == .fanout && $0.durable && !$0.autoDelete && $0.arguments.isEmpty }
        )
        let bindings = [
            "payment_processor_queue": "orders", "notifications_orders_queue": "orders",
            "fulfillment_processor_queue": "payments", "notifications_payments_queue": "payments",
            "notifications_shipments_queue": "shipments",
        ]
        #expect(topology.queues.count == 10)
        for (name, exchange) in bindings {
            let queue = topology.queues.first { $0.name == name }
            #expect(queue?.bindings.map(\.exchange) == [exchange])
            #expect(queue?.bindings.map(\.routingKey) == [""])
            #expect(topology.queues.first { $0.name == "\(name).dlq" }?.bindings.isEmpty == true)
        }
        for queue in topology.queues {
            #expect(queue.kind == .classic && queue.durable && !queue.exclusive && !queue.autoDelete)
            #expect(queue.arguments.isEmpty, "arguments would make it another queue than the original's")
        }
    }

    @Test func `as quorum queues differs in the kind only`() {
        let quorum = PipelineTopology.all(.quorum)
        #expect(quorum.queues.allSatisfy { $0.kind == .quorum() })
        #expect(quorum.queues.map(\.name) == PipelineTopology.all(.classic).queues.map(\.name))
    }
}
