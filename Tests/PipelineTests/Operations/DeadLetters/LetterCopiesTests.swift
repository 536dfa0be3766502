import ActorBus
import LocalBroker
import Logging
import Testing

@testable import Pipeline

/// Letters that are written back, against a real broker.
@Suite struct LetterCopiesTests {
    @Test(.timeLimit(.minutes(1))) func `letters of a queue that somebody deletes are said to be gone`() async throws {
        try await StageScene.with { scene in
            let queue = PipelineQueue.payment
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            // As of an operator's command: nothing declares the queue again.
            try await withConnection(to: scene.connection.configuration, logger: logger) { connection in
                let publisher = try await connection.publisher()
                try await publisher.publish(Message(text: "x"), to: "", routingKey: queue.deadLetterQueue)
                for try await letter in connection.deliveries(from: queue.deadLetterQueue) {
                    try await scene.broker.rabbitmqctl(["delete_queue", "-p", scene.virtualHost, queue.deadLetterQueue])
                    let written = await LetterCopies(of: queue, with: publisher).write([letter])
                    #expect(written.copied.isEmpty && written.returned.isEmpty)
                    let error = try #require(written.failure as? AMQPError)
                    #expect(error.message.contains("payment_processor_queue.dlq was deleted"), "\(error)")
                    #expect(!error.message.contains("returned"), "\(error)")
                    break
                }
            }
        }
    }
}
