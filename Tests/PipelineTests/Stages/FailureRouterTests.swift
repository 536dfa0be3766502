import ActorBus
import LocalBroker
import Testing

@testable import Pipeline

/// Whatever a message brings along, it can be set aside, and made to wait, in bounded time.
@Suite(.serialized) struct FailureRouterTests {
    static let queue = "payment_processor_queue"

    private static func failed(_ message: Message, exchange: String = "orders") -> FailedMessage {
        FailedMessage(
            message: message, exchange: exchange, failures: 1, reason: "no use", orderID: nil, identity: nil)
    }

    /// Headers that fill a frame to the last bytes: 131,072, less the frame's own and those of the content header.
    private static let fullHeaders: FieldTable = ["big": .string(String(repeating: "x", count: 131_000))]

    private static let hostile: [(String, MessageProperties)] = [
        ("reply to a consumer of a channel", MessageProperties(replyTo: "amq.rabbitmq.reply-to")),
        ("reply to a consumer elsewhere", MessageProperties(replyTo: "amq.rabbitmq.reply-to.g1h2")),
        ("another's user", MessageProperties(userID: "eve")),
        ("an expiration", MessageProperties(expiration: "1")),
        ("an expiration that is none", MessageProperties(expiration: "never")),
        ("copies to the main queue", MessageProperties(headers: ["CC": .array(["payment_processor_queue"])])),
        ("copies of another type", MessageProperties(headers: ["CC": 5, "BCC": "payment_processor_queue"])),
        ("a priority", MessageProperties(priority: 255)),
        ("notes of a broker", MessageProperties(headers: ["x-death": .array(["a", 5]), "x-delivery-count": 7])),
        (
            "notes of having been here",
            MessageProperties(headers: [
                "x-death": .array([
                    .table([
                        "queue": "payment_processor_queue", "reason": "delivery_limit", "count": 1, "exchange": "",
                        "routing-keys": .array(["payment_processor_queue"]),
                    ])
                ])
            ])
        ),
        ("full headers", MessageProperties(headers: fullHeaders)),
        ("a delay", MessageProperties(headers: ["x-delay": 100_000])),
        (
            "failures beyond counting",
            MessageProperties(headers: ["x-attempts": .int64(.max), "x-retries": .int64(-5)])
        ),
    ]

    @Test(.timeLimit(.minutes(2))) func `everything can be buried`() async throws {
        try await StageScene.with { scene in
            for (name, properties) in Self.hostile {
                let outcome = try await scene.router().bury(
                    Self.failed(Message(body: [1, 2], properties: properties)), .malformed)
                #expect(outcome == .deadLettered)
                #expect(try await scene.depth("\(Self.queue).dlq") == 1, "\(name)")
                let letter = try await scene.take(from: "\(Self.queue).dlq")
                #expect(letter.body == [1, 2], "\(name)")
                #expect(letter.properties.headers["x-error"] == "malformed", "\(name)")
                #expect((letter.properties.headers["x-headers-dropped"] != nil) == (name == "full headers"), "\(name)")
                #expect(try await scene.depth(Self.queue) == 0, "\(name): it was copied to its queue")
            }
            #expect(scene.publisher.refusal == nil)
        }
    }

    /// RabbitMQ 3.10 destroys an expired message that says it was in its queue before, and the process that moves messages
    /// dies of notes that are none.
    @Test(.timeLimit(.minutes(2))) func `everything comes back from a retry queue`() async throws {
        try await StageScene.with { scene in
            for (name, properties) in Self.hostile where name != "full headers" {
                let outcome = try await scene.router().tryLater(
                    Self.failed(Message(body: [1, 2], properties: properties)))
                #expect(outcome == .retried, "\(name)")
                try await scene.waits(for: 1, in: Self.queue)
                let message = try await scene.take(from: Self.queue)
                #expect(message.body == [1, 2], "\(name)")
                #expect(message.properties.headers["x-retries"] == 1, "\(name)")
                #expect(message.properties.headers["x-original-exchange"] == "orders", "\(name)")
            }
            let full = Message(body: [1, 2], properties: MessageProperties(headers: Self.fullHeaders))
            #expect(try await scene.router().tryLater(Self.failed(full)) == .deadLettered)
            let letter = try await scene.take(from: "\(Self.queue).dlq")
            #expect(letter.properties.headers["x-error"] == "exhausted")
        }
    }

    @Test(.timeLimit(.minutes(1))) func `a producer's own count of retries takes no attempt from its message`()
        async throws
    {
        try await StageScene.with { scene in
            let message = Message(body: [1], properties: MessageProperties(headers: ["x-retries": 5, "x-attempts": 7]))
            #expect(try await scene.router().tryLater(Self.failed(message)) == .retried)
            try await scene.waits(for: 1, in: Self.queue)
            let back = try await scene.take(from: Self.queue)
            #expect(back.properties.headers["x-retries"] == 1 && back.properties.headers["x-attempts"] == 1)
        }
    }

    @Test(.timeLimit(.minutes(2))) func `what the broker has become too small for is buried as a note`() async throws {
        let broker = try await StageBroker.shared.value
        try await broker.limitMessages(to: 1000)
        do {
            try await StageScene.with { scene in
                let body = [UInt8](repeating: 7, count: 3 << 20)
                let message = Message(
                    body: body, properties: MessageProperties(headers: ["mine": "yes"], correlationID: "c-1"))
                #expect(try await scene.router().bury(Self.failed(message), .malformed) == .deadLettered)
                let note = try await scene.take(from: "\(Self.queue).dlq")
                let text = String(decoding: note.body, as: UTF8.self)
                #expect(note.properties.headers["x-buried-as"] == "note" && note.properties.correlationID == "c-1")
                #expect(text.contains("\"size\":3145728,\"sha256\":\"\(message.bodyDigest)\""), "\(text)")
                #expect(text.contains("\"headers\":{\"mine\":\"yes\"}"), "\(text)")

                // Headers that make the note too large are left out of it too.
                let wordy = Message(
                    body: body,
                    properties: MessageProperties(headers: ["long": .string(String(repeating: "y", count: 2000))]))
                #expect(try await scene.router().bury(Self.failed(wordy), .malformed) == .deadLettered)
                let short = try await scene.take(from: "\(Self.queue).dlq")
                #expect(short.body.count < 1000 && short.properties.headers["x-buried-as"] == "note")
                #expect(short.properties.headers["x-error"] == "malformed")

                // What cannot wait is not lost either.
                #expect(try await scene.router().tryLater(Self.failed(message)) == .deadLettered)
                let exhausted = try await scene.take(from: "\(Self.queue).dlq")
                #expect(exhausted.properties.headers["x-error"] == "exhausted")
                #expect(scene.publisher.refusal == nil)
            }
        } catch {
            try await broker.limitMessages(to: 128 << 20)
            throw error
        }
        try await broker.limitMessages(to: 128 << 20)
    }
}
