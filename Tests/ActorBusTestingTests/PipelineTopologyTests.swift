import ActorBus
import ActorBusTesting
import Pipeline
import Testing

/// The pipeline's own topology on the simulated broker.
@Suite(.timeLimit(.minutes(1))) struct PipelineTopologyTests {
    @Test(arguments: RabbitMQVersion.allCases, QueueType.allCases)
    func allOfItIsSimulated(version: RabbitMQVersion, type: QueueType) async throws {
        try await withSimulatedBroker(version: version) { broker in
            let topology = PipelineTopology.all(type)
            try await withConnection(to: broker.configuration, topology: topology) { connection in
                let queue = PipelineQueue.payment
                let publisher = try await connection.publisher()
                try await publisher.publish(Message(text: "order"), to: "orders", routingKey: "")
                #expect(broker.published.map(\.queues) == [[PipelineQueue.orderNotices.rawValue, queue.rawValue]])
                let delay = RetryDelay.seconds(5)
                try await publisher.publish(
                    Message(text: "again"), to: "", routingKey: queue.retryQueue(after: delay))
                broker.advance(by: .milliseconds(delay.milliseconds))
                #expect(broker.messages(in: queue.rawValue)?.map(\.body).last == Array("again".utf8))
                // It waits while the queue that it goes to is away, and comes back once that is there again.
                broker.deleteQueue(queue.rawValue)
                try await publisher.publish(
                    Message(text: "waits"), to: "", routingKey: queue.retryQueue(after: delay))
                broker.advance(by: .milliseconds(delay.milliseconds))
                #expect(broker.depth(of: queue.retryQueue(after: delay)) == 0)
                try await connection.declare(topology)
                broker.advance(by: .seconds(180))
                #expect(broker.messages(in: queue.rawValue)?.map(\.body) == [Array("waits".utf8)])
            }
        }
    }
}
