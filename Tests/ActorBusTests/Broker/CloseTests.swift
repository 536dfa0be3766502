import Testbed
import Testing

@testable import ActorBus

/// The end of a connection, in the middle of work.
@Suite(.logsOnFailure, .timeLimit(.minutes(5))) struct CloseTests {
    @Test func everythingAfterTheEndThrows() async throws {
        let connection = try await AMQPConnection.connect(try await SharedBroker.quiet.value.configuration)
        let publisher = try await connection.publisher()
        await connection.close()
        await connection.close()
        let operations: [@Sendable () async throws -> Void] = [
            { try await publisher.publish(Message(text: "m"), to: "") },
            { _ = try await connection.publisher() },
            { _ = try await connection.inspect(queue: "q") },
            { try await connection.declare(Topology { Queue("q") }) },
            { for try await _ in connection.deliveries(from: "q") {} },
            { try await connection.process("q") { _ in .acknowledge } },
        ]
        for operation in operations {
            let error = try await failure("an operation on a closed connection", operation)
            #expect(error.code == .connectionClosed)
        }
        let states = try await within(.seconds(5), "the end of the updates") {
            var states: [ConnectionStatus.State] = []
            for await status in connection.statusUpdates() { states.append(status.state) }
            return states
        }
        #expect(states == [.closed])
    }

    /// RabbitMQ forgets acknowledgments that its channel has not yet passed on to a quorum queue when it is closed.
    @Test(arguments: ["drained", "closed"], 0..<3)
    func whatAQuorumQueueWasToldOneByOneIsNotLost(end: String, round: Int) async throws {
        let broker = try await SharedBroker.quiet.value
        try await withQueue("told", arguments: ["x-queue-type": "quorum"]) { watching, queue in
            try await watching.fill(queue, 100)
            let connection = try await AMQPConnection.connect(broker.configuration)
            if end == "closed" {
                var deliveries = connection.deliveries(from: queue, prefetch: 100).makeAsyncIterator()
                let first = try #require(try await deliveries.next())
                // While the first is unsettled each of the others has a frame of its own.
                for _ in 1..<100 { try #require(try await deliveries.next()).acknowledge() }
                _ = try await connection.inspect(queue: queue)
                first.acknowledge()
            } else {
                let (others, done) = (Gate(), Tally())
                let work = Task {
                    try await connection.process(queue, prefetch: 100, concurrency: 100) { delivery in
                        if delivery.deliveryTag == 1 { await others.passUncancelled() }
                        if done.add() == 99 { others.open() }
                        return .acknowledge
                    }
                }
                try await within(.seconds(20), "the others") { await others.pass() }
                work.cancel()
                try await within(.seconds(10), "the end of processing") { try await work.value }
                #expect(done.value == 100)
            }
            await connection.close()
            // What comes again stands in front of what is new.
            try await watching.fill(queue, 1)
            var rest = watching.deliveries(from: queue, prefetch: 1).makeAsyncIterator()
            let next = try #require(try await rest.next())
            #expect(!next.redelivered)
            next.acknowledge()
        }
    }

    /// What was acknowledged before close() is gone from the queue, though nobody waited.
    @Test(arguments: 0..<5)
    func acknowledgmentsGivenJustBeforeAreNotLost(round: Int) async throws {
        let broker = try await SharedBroker.quiet.value
        try await withQueue("last") { watching, queue in
            try await watching.fill(queue, 100)
            let connection = try await AMQPConnection.connect(broker.configuration)
            var deliveries = connection.deliveries(from: queue, prefetch: 100).makeAsyncIterator()
            for _ in 0..<100 { try #require(try await deliveries.next()).acknowledge() }
            await connection.close()
            try await eventually("the consumer is gone") { try await watching.inspect(queue: queue).consumers == 0 }
            #expect(try await watching.inspect(queue: queue).messages == 0)
        }
    }

    @Test func publishesAndConsumersInWorkAllEnd() async throws {
        let broker = try await SharedBroker.quiet.value
        try await withQueue("busy") { watching, queue in
            let connection = try await AMQPConnection.connect(broker.configuration)
            let publisher = try await connection.publisher(window: 50)
            let (confirmed, under) = (Tally(), Gate())
            let publishers = (0..<100).map { _ in
                Task {
                    while true {
                        try await publisher.publish(Message(text: "m"), to: "", routingKey: queue)
                        if confirmed.add() == 500 { under.open() }
                    }
                }
            }
            let received = Tally()
            let readers = (0..<3).map { _ in
                Task {
                    for try await delivery in connection.deliveries(from: queue, prefetch: 20) {
                        delivery.acknowledge()
                        received.add()
                    }
                }
            }
            let processors = (0..<2).map { _ in
                Task {
                    try await connection.process(queue, prefetch: 20, concurrency: 5) { _ in
                        received.add(); return .acknowledge
                    }
                }
            }
            try await within(.seconds(20), "five hundred confirms") { await under.pass() }
            async let first: Void = connection.close()
            async let second: Void = connection.close()
            _ = await (first, second)
            for publish in publishers {
                let error = try await failure("a publish on a closed connection") { try await publish.value }
                #expect([.connectionClosed, .maybePublished].contains(error.code), "\(error)")
            }
            for task in readers + processors {
                let error = try await failure("a consumer of a closed connection") { try await task.value }
                #expect(error.code == .connectionClosed, "\(error)")
            }
            try await eventually("no consumer is left") { try await watching.inspect(queue: queue).consumers == 0 }
            // Nothing that was confirmed is lost: it was received or is still there.
            let left = try await watching.inspect(queue: queue).messages
            #expect(received.value + Int(left) >= confirmed.value)
        }
    }

    @Test func theScopeClosesHoweverItEnds() async throws {
        struct Trouble: Error {}
        let broker = try await SharedBroker.quiet.value
        let kept = Lock<AMQPConnection?>(nil)
        await #expect(throws: Trouble.self) {
            try await withConnection(to: broker.configuration) { connection in
                kept.withLock { $0 = connection }
                throw Trouble()
            }
        }
        #expect(kept.withLock { $0 }?.status.state == .closed)
    }
}
