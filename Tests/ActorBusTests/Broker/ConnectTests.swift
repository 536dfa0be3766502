import Logging
import Testbed
import Testing

@testable import ActorBus

/// Opening a connection to a real broker, and what it refuses.
@Suite(.logsOnFailure, .timeLimit(.minutes(5))) struct ConnectTests {
    private func refusal(
        topology: Topology = Topology(), changing change: (inout ConnectionConfiguration) -> Void
    ) async throws -> AMQPError {
        var configuration = try await SharedBroker.quiet.value.configuration
        change(&configuration)
        return try await failure("a connection that is refused") { [configuration] in
            await (try AMQPConnection.connect(configuration, topology: topology)).close()
        }
    }

    @Test func opensAndCloses() async throws {
        let configuration = try await SharedBroker.quiet.value.configuration
        let connection = try await AMQPConnection.connect(configuration)
        #expect(connection.status.isReady)
        await connection.close()
        #expect(connection.status.state == .closed)
        await connection.close()
    }

    /// A connection that is being shut must not be handed out as one that is open.
    @Test func aConnectionCancelledAsItOpensIsNotHandedOut() async throws {
        let configuration = try await SharedBroker.quiet.value.configuration
        let cancel = Lock<(@Sendable () -> Void)?>(nil)
        let mayConnect = Gate()
        let connecting = Task {
            await mayConnect.pass()
            let logger = Logger(label: "cancelling") { _ in CancellingLogHandler(cancel: cancel) }
            return try await AMQPConnection.connect(configuration, logger: logger)
        }
        cancel.withLock { $0 = { connecting.cancel() } }
        mayConnect.open()
        let result = try await within(.seconds(10), "the end of connecting") { await connecting.result }
        #expect(throws: CancellationError.self) { try result.get() }
    }

    @Test func aWrongPasswordIsALoginRefused() async throws {
        let error = try await refusal { $0.password = "sesame" }
        #expect(error.code == .loginRefused)
        #expect(error.replyCode == 403)
        #expect(!error.description.contains("sesame"))
    }

    @Test func anUnknownVirtualHostIsRefused() async throws {
        let error = try await refusal { $0.virtualHost = "nowhere" }
        #expect(error.code == .virtualHostRefused)
        #expect(error.description.contains("nowhere"))
    }

    @Test func aQueueDeclaredOtherwiseIsAPreconditionFailed() async throws {
        try await withQueue("otherwise") { _, queue in
            let error = try await refusal(topology: Topology { Queue(queue, arguments: ["x-max-length": 7]) }) { _ in }
            #expect(error.code == .preconditionFailed)
            #expect(error.replyCode == 406)
            #expect(error.description.contains(queue))
        }
    }

    /// A node that stops answers with 404 too, so this is waited for, as if the broker could not be reached.
    @Test func aBindingToAMissingExchangeIsWaitedForAndTold() async throws {
        let exchange = unique("missing")
        let queue = Queue(unique("bound"), durable: false, exclusive: true).bound(to: exchange)
        let error = try await refusal(topology: Topology { queue }) { $0.connectAttempts = 2 }
        #expect(error.code == .brokerUnreachable && error.cause == .notFound && error.replyCode == 404)
        #expect(error.message.contains("2 attempts"))
        #expect(error.description.contains(exchange))
    }

    @Test func aWholeTopologyIsDeclaredAndRoutes() async throws {
        let (exchange, other) = (unique("topic"), unique("headers"))
        let (queue, second, third) = (unique("a"), unique("b"), unique("c"))
        let topology = Topology {
            Exchange(exchange, .topic, durable: false, autoDelete: true)
            Exchange(other, .headers, durable: false)
            Queue(queue).bound(to: exchange, routingKey: "a.*")
            Queue(second, durable: false, exclusive: true, autoDelete: true)
                .bound(to: exchange, routingKey: "a.#")
                .bound(to: other, arguments: ["x-match": "all", "k": 1])
            Queue(third, .quorum(deliveryLimit: 5)).bound(to: exchange, routingKey: "b")
        }
        try await withConnection(to: try await SharedBroker.quiet.value.configuration, topology: topology) {
            connection in
            let publisher = try await connection.publisher()
            for key in ["a.b", "a.b.c", "b"] {
                try await publisher.publish(Message(text: key), to: exchange, routingKey: key)
            }
            try await publisher.publish(Message(text: "h", properties: .init(headers: ["k": 1])), to: other)
            try await connection.settles(at: 1, queue)
            try await connection.settles(at: 3, second)
            try await connection.settles(at: 1, third)
        }
    }

    @Test func declaringMoreKeepsTheConnectionAndFailsAlone() async throws {
        try await withQueue("more") { connection, queue in
            let more = unique("more")
            try await connection.declare(Topology { Queue(more, durable: false, exclusive: true) })
            #expect(try await connection.inspect(queue: more) == QueueDepth(messages: 0, consumers: 0))
            let error = await #expect(throws: AMQPError.self) {
                try await connection.declare(Topology { Queue(queue, arguments: ["x-max-length": 7]) })
            }
            #expect(error?.code == .preconditionFailed)
            let missing = await #expect(throws: AMQPError.self) {
                try await connection.inspect(queue: unique("missing"))
            }
            #expect(missing?.code == .notFound)
            #expect(connection.status.isReady && connection.status.recoveries == 0)
        }
    }

    @Test func theFirstOfSeveralAddressesThatAnswersIsTaken() async throws {
        var configuration = try await SharedBroker.quiet.value.configuration
        configuration.endpoints.insert(.init(host: "127.0.0.1", port: try LoopbackSocket.deadPort.get()), at: 0)
        let connection = try await AMQPConnection.connect(configuration)
        #expect(connection.status.isReady)
        await connection.close()
    }
}

/// Cancels whoever connects when the connection says that it is there.
private struct CancellingLogHandler: LogHandler {
    let cancel: Lock<(@Sendable () -> Void)?>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        guard event.message.description.hasPrefix("connected to") else { return }
        cancel.withLock { $0 }?()
    }
}
