import ActorBus
import LocalBroker
import Logging
import Pipeline
import Testing

@testable import pipeline_run

@Suite(.serialized) struct QueueWatchTests {
    @Test(.timeLimit(.minutes(1))) func `a queue that somebody deleted holds nothing, and the rest is still seen`()
        async throws
    {
        let broker = try await StageBroker.shared.value
        let name = "watch-\(UInt32.random(in: 0 ... .max))"
        try await broker.rabbitmqctl(["add_vhost", name])
        try await broker.rabbitmqctl(["set_permissions", "-p", name, "guest", ".*", ".*", ".*"])
        var configuration = try ConnectionConfiguration(url: broker.url)
        configuration.virtualHost = name
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        try await withConnection(to: configuration, topology: PipelineTopology.all(.classic), logger: logger) {
            connection in
            let publisher = try await connection.publisher()
            for queue in ["payment_processor_queue", "fulfillment_processor_queue.dlq"] {
                try await publisher.publish(Message(text: "x"), to: "", routingKey: queue, mandatory: true)
            }
            for queue in ["payment_processor_queue.retry.5", "notifications_orders_queue.dlq"] {
                try await broker.rabbitmqctl(["delete_queue", "-p", name, queue])
            }
            let watch = QueueWatch(connection: connection, logger: logger)
            #expect(await watch.depth() == QueueWatch.Depth(messages: 1, consumers: 0, letters: 1))
            // One is queued, one was moved by the broker, one is nowhere.
            let remainder = await watch.remainder(open: 3, givenUp: 0, letters: 0)
            #expect(remainder == QueueWatch.Remainder(lost: 1, queued: 2))
        }
        try await broker.rabbitmqctl(["delete_vhost", name])
    }

    @Test func `what the broker dead-lettered itself is not lost`() {
        func lost(_ open: Int64, _ messages: Int64, _ letters: Int64, expected: Int64?) -> Int64 {
            QueueWatch.lost(
                open: open, QueueWatch.Depth(messages: messages, consumers: 0, letters: letters), letters: expected)
        }
        #expect(lost(10, 4, 6, expected: 0) == 0)
        #expect(lost(10, 4, 6, expected: 2) == 2)
        // Ours count by themselves: they are settled.
        #expect(lost(10, 4, 6, expected: 6) == 6)
        // Somebody emptied a dead-letter queue, or it could not be looked at before.
        #expect(lost(10, 4, 1, expected: 6) == 6)
        #expect(lost(10, 4, 6, expected: nil) == 6)
        #expect(lost(1, 4, 6, expected: 0) == 0)
    }
}
