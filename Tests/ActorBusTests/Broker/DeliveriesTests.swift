import LocalBroker
import Testbed
import Testing

@testable import ActorBus

/// Deliveries of a real broker as a sequence.
@Suite(.logsOnFailure, .timeLimit(.minutes(5))) struct DeliveriesTests {
    @Test func thePrefetchBoundsWhatIsUnsettled() async throws {
        try await withQueue("prefetch") { connection, queue in
            try await connection.fill(queue, 50)
            var deliveries = connection.deliveries(from: queue, prefetch: 7).makeAsyncIterator()
            var taken: [Delivery] = []
            for _ in 0..<7 { taken.append(try #require(try await deliveries.next())) }
            try await connection.settles(at: 43, queue)
            for delivery in taken[..<3] { delivery.acknowledge() }
            try await connection.settles(at: 40, queue)
            for _ in 0..<3 { taken.append(try #require(try await deliveries.next())) }
            #expect(taken.map { String(decoding: $0.body, as: UTF8.self) }.count == Set(taken.map(\.body)).count)
            #expect(taken.map(\.deliveryTag) == Array(1...10))
        }
    }

    @Test func leavingTheLoopReturnsWhatWasNotHandedOut() async throws {
        try await withQueue("break") { connection, queue in
            try await connection.fill(queue, 10)
            var held: Delivery?
            var count = 0
            for try await delivery in connection.deliveries(from: queue, prefetch: 5) {
                count += 1
                if count == 1 {
                    delivery.acknowledge()
                } else {
                    held = delivery
                    break
                }
            }
            try await eventually("eight are back, and no consumer is left") {
                try await connection.inspect(queue: queue) == QueueDepth(messages: 8, consumers: 0)
            }
            #expect(connection.status.consumers == 0)
            // What was handed out can still be settled.
            try #require(held).requeue()
            try await connection.settles(at: 9, queue)
        }
    }

    @Test func cancellationEndsTheSequenceWithoutAnError() async throws {
        try await withQueue("cancelled") { connection, queue in
            let (isRunning, count) = (Gate(), Tally())
            try await connection.fill(queue, 3)
            let reader = Task {
                for try await delivery in connection.deliveries(from: queue) {
                    delivery.acknowledge()
                    if count.add() == 3 { isRunning.open() }
                }
            }
            try await within(.seconds(10), "three deliveries") { await isRunning.pass() }
            reader.cancel()
            try await within(.seconds(10), "the end of the reader") { try await reader.value }
            try await eventually("no consumer and no message is left") {
                try await connection.inspect(queue: queue) == QueueDepth(messages: 0, consumers: 0)
            }
        }
    }

    @Test func settlingTwiceIsHarmless() async throws {
        try await withQueue("twice") { connection, queue in
            try await connection.fill(queue, 20)
            var deliveries = connection.deliveries(from: queue, prefetch: 5).makeAsyncIterator()
            for _ in 0..<20 {
                let delivery = try #require(try await deliveries.next())
                delivery.acknowledge()
                delivery.requeue()
                delivery.acknowledge()
                delivery.reject()
            }
            try await connection.settles(at: 0, queue)
            #expect(connection.status.recoveries == 0 && connection.status.isReady)
        }
    }

    @Test func eachSettlementMeansWhatItSays() async throws {
        let dead = unique("dead")
        try await withQueue(
            "settled", arguments: ["x-dead-letter-exchange": "", "x-dead-letter-routing-key": .string(dead)]
        ) { connection, queue in
            try await connection.declare(Topology { Queue(dead, arguments: ["x-expires": 60_000]) })
            try await connection.fill(queue, 3)
            var deliveries = connection.deliveries(from: queue, prefetch: 1).makeAsyncIterator()
            try #require(try await deliveries.next()).acknowledge()
            let rejected = try #require(try await deliveries.next())
            rejected.reject()
            let third = try #require(try await deliveries.next())
            #expect(!third.redelivered)
            third.requeue()
            let again = try #require(try await deliveries.next())
            #expect(again.redelivered && again.body == third.body)
            again.acknowledge()
            try await connection.settles(at: 0, queue)
            try await connection.settles(at: 1, dead)
        }
    }

    @Test func aMissingQueueIsNotFound() async throws {
        try await withQueue("missing") { connection, _ in
            let name = unique("missing")
            let error = await #expect(throws: AMQPError.self) {
                for try await _ in connection.deliveries(from: name) {}
            }
            #expect(error?.code == .notFound)
            #expect(error?.description.contains(name) == true)
            #expect(connection.status.isReady && connection.status.consumers == 0)
        }
    }

    @Test func aPrefetchOfZeroIsRefused() async throws {
        try await withQueue("zero") { connection, queue in
            let error = await #expect(throws: AMQPError.self) {
                for try await _ in connection.deliveries(from: queue, prefetch: 0) {}
            }
            #expect(error?.code == .invalidConfiguration)
        }
    }

    @Test func twoConsumersOverOneConnectionShareAQueue() async throws {
        try await withQueue("shared") { connection, queue in
            let seen = Lock<[[UInt8]]>([])
            let all = Gate()
            let readers = (0..<2).map { _ in
                Task {
                    for try await delivery in connection.deliveries(from: queue, prefetch: 10) {
                        delivery.acknowledge()
                        if seen.withLock({
                            $0.append(delivery.body); return $0.count
                        }) == 200 {
                            all.open()
                        }
                    }
                }
            }
            try await connection.status("two consumers") { $0.registeredConsumers == 2 }
            try await connection.fill(queue, 200)
            try await within(.seconds(15), "all deliveries") { await all.pass() }
            for reader in readers {
                reader.cancel()
                _ = await reader.result
            }
            #expect(Set(seen.withLock { $0 }).count == 200)
        }
    }

    @Test func aQueueDeletedUnderItsConsumerIsDeclaredAndConsumedAgain() async throws {
        let broker = try await SharedBroker.quiet.value
        try await withQueue("deleted") { connection, queue in
            let received = Lock<[String]>([])
            let (first, second) = (Gate(), Gate())
            let reader = Task {
                for try await delivery in connection.deliveries(from: queue, prefetch: 5) {
                    delivery.acknowledge()
                    let text = String(decoding: delivery.body, as: UTF8.self)
                    received.withLock { $0.append(text) }
                    (text == "before" ? first : second).open()
                }
            }
            let publisher = try await connection.publisher()
            try await publisher.publish(Message(text: "before"), to: "", routingKey: queue)
            try await within(.seconds(10), "the first delivery") { await first.pass() }
            let lost = Task { try await connection.status("the consumer is gone") { $0.registeredConsumers == 0 } }
            try await broker.rabbitmqctl(["delete_queue", queue])
            _ = try await lost.value
            try await connection.status("the consumer is back") { $0.registeredConsumers == 1 && $0.isReady }
            try await publisher.publish(Message(text: "after"), to: "", routingKey: queue)
            try await within(.seconds(10), "a delivery of the new queue") { await second.pass() }
            #expect(received.withLock { $0 } == ["before", "after"])
            #expect(connection.status.recoveries == 0)
            reader.cancel()
            _ = await reader.result
        }
    }
}
