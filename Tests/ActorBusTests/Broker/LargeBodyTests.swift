import LocalBroker
import Testing

@testable import ActorBus

/// Large messages through a real broker.
@Suite(.timeLimit(.minutes(5))) struct LargeBodyTests {
    private func withSpooling<Value: Sendable>(
        _ body: @Sendable (AMQPConnection) async throws -> Value
    ) async throws -> Value {
        var configuration = try await SharedBroker.quiet.value.configuration
        configuration.spool = BodySpool(threshold: 1 << 20)
        return try await withConnection(to: configuration, body)
    }

    /// Published from memory, spooled, published from the file, and delivered into memory again.
    @Test(arguments: [(1 << 20) + 1, 20_000_000]) func aSpooledBodyIsPublishedAsItCame(size: Int) async throws {
        let body = Sample.bytes(size)
        try await withQueue("first") { plain, first in
            let second = unique("second")
            try await plain.declare(Topology { Queue(second, exclusive: true) })
            let properties = MessageProperties(headers: ["h": "v"], messageID: "m")
            try await plain.publisher().publish(
                Message(body: body, properties: properties), to: "", routingKey: first)
            try await plain.fill(first, 1)
            try await withSpooling { spooling in
                var deliveries = spooling.deliveries(from: first, prefetch: 1).makeAsyncIterator()
                let delivery = try #require(try await deliveries.next())
                let large = try #require(delivery.message.largeBody)
                #expect(large.sha256 == SHA256.digest(of: body) && delivery.bodyFault == nil)
                #expect(delivery.properties == properties)
                // An exclusive queue takes messages from every connection.
                let publisher = try await spooling.publisher()
                try await publisher.publish(delivery.message, to: "", routingKey: second)
                delivery.acknowledge()
                let next = try #require(try await deliveries.next())
                #expect(next.body == Array("0".utf8))
                next.acknowledge()
                #expect(spooling.status.recoveries == 0)
            }
            var deliveries = plain.deliveries(from: second, prefetch: 1).makeAsyncIterator()
            let delivery = try #require(try await deliveries.next())
            let isSame = delivery.body == body
            #expect(isSame && delivery.properties == properties)
            delivery.acknowledge()
            #expect(plain.status.recoveries == 0)
        }
    }

    /// A message whose bytes are gone is refused before any of it is sent.
    @Test func aBodyThatWasNotKeptIsNotPublished() async throws {
        try await withQueue("not kept") { connection, queue in
            let publisher = try await connection.publisher()
            let message = Message(largeBody: LargeBody(size: 1 << 30, sha256: "0", fault: "the disk was full"))
            let error = try await failure("publishing what is gone") {
                try await publisher.publish(message, to: "", routingKey: queue)
            }
            #expect(error.code == .invalidMessage && error.message.contains("the disk was full"))
            try await publisher.publish(Message(text: "next"), to: "", routingKey: queue)
            #expect(connection.status.recoveries == 0)
        }
    }

    /// Many at once, in memory and from files, with small ones in between: each is whole, and the order of a publisher is
    /// kept.
    @Test func largeAndSmallMessagesKeepTheirOrder() async throws {
        try await withQueue("mixed") { connection, queue in
            let publisher = try await connection.publisher()
            let sizes = [3, 700_000, 5, 300_000, 1_500_000, 262_144, 262_145, 0, 2_000_000, 1]
            var sent: [PendingConfirm] = []
            for size in sizes {
                sent.append(try await publisher.send(Message(body: Sample.bytes(size)), to: "", routingKey: queue))
            }
            for confirm in sent { try await confirm.confirmed() }
            var seen: [Int] = []
            for try await delivery in connection.deliveries(from: queue, prefetch: 3) {
                let isSame = delivery.body == Sample.bytes(delivery.body.count)
                #expect(isSame)
                seen.append(delivery.body.count)
                delivery.acknowledge()
                if seen.count == sizes.count { break }
            }
            #expect(seen == sizes)
            #expect(connection.status.recoveries == 0)
        }
    }

    /// A large message that is returned is told so, and its neighbours are not.
    @Test func aLargeMessageThatNobodyTakesIsReturned() async throws {
        try await withQueue("large returned") { connection, queue in
            let publisher = try await connection.publisher()
            let body = Sample.bytes(3_000_000)
            let returned = try await publisher.send(Message(body: body), to: "", routingKey: unique("nowhere"))
            let taken = try await publisher.send(Message(body: body), to: "", routingKey: queue)
            let error = await #expect(throws: AMQPError.self) { try await returned.confirmed() }
            #expect(error?.code == .returned)
            try await taken.confirmed()
        }
    }

    /// 406 for a message above the broker's max_message_size, and 404 for an exchange that is not there, close the channel
    /// and nothing else, wherever the message stands by then.
    @Test func aLargeMessageToNoExchangeCostsItsChannelOnly() async throws {
        try await withQueue("large refused") { connection, queue in
            let publisher = try await connection.publisher()
            let refused = try await publisher.send(
                Message(body: Sample.bytes(5_000_000)), to: unique("no exchange"), routingKey: "k")
            let behind = try await publisher.send(Message(text: "behind"), to: "", routingKey: queue)
            let error = await #expect(throws: AMQPError.self) { try await refused.confirmed() }
            #expect(error?.code == .notFound)
            try await behind.confirmed()
            #expect(connection.status.recoveries == 0)
        }
    }

    /// Cut off in the middle by a lost connection, it is sent again from its beginning.
    @Test func aLargeMessageIsPublishedAgainAfterARecovery() async throws {
        try await withQueue("again") { connection, queue in
            let body = Sample.bytes(60_000_000)
            let publisher = try await connection.publisher()
            // As soon as it is under way: looked for on the connection's thread, in each of its turns.
            let cut = Task(executorPreference: connection.taskExecutor) {
                while await !connection.isWritingALargeMessage {
                    try Task.checkCancellation()
                    await Task.yield()
                }
                await connection.loseSession()
            }
            defer { cut.cancel() }
            try await publisher.publish(Message(body: body), to: "", routingKey: queue)
            #expect(connection.status.recoveries == 1)
            var deliveries = connection.deliveries(from: queue, prefetch: 1).makeAsyncIterator()
            let delivery = try #require(try await deliveries.next())
            let isSame = delivery.body == body
            #expect(isSame)
            delivery.acknowledge()
        }
    }

    /// Headers that fill a frame, to which the broker adds its `x-death` when they are dead-lettered.
    @Test func headersThatTheBrokerMadeLongerThanAFrameAreRead() async throws {
        let dead = unique("dead")
        let arguments: FieldTable = ["x-dead-letter-exchange": "", "x-dead-letter-routing-key": .string(dead)]
        try await withQueue("nearly full", arguments: arguments) { connection, queue in
            try await connection.declare(Topology { Queue(dead, exclusive: true) })
            let text = String(repeating: "x", count: 130_950)
            let publisher = try await connection.publisher()
            try await publisher.publish(
                Message(text: "full", properties: .init(headers: ["k": .string(text)])), to: "", routingKey: queue)
            try await publisher.publish(Message(text: "next"), to: "", routingKey: queue)
            var rejected = connection.deliveries(from: queue, prefetch: 1).makeAsyncIterator()
            for _ in 0..<2 { try await rejected.next()?.reject() }
            var letters = connection.deliveries(from: dead, prefetch: 2).makeAsyncIterator()
            let letter = try #require(try await letters.next())
            #expect(letter.headersFault == nil)
            #expect(letter.properties.headers["k"]?.text == text && letter.properties.headers["x-death"] != nil)
            let next = try #require(try await letters.next())
            #expect(next.body == Array("next".utf8))
            #expect(connection.status.recoveries == 0)
        }
    }
}

extension AMQPConnection {
    fileprivate var isWritingALargeMessage: Bool { session?.isWritingALargeMessage ?? false }

    fileprivate func loseSession() {
        if let session { lose(session, AMQPError(.connectionLost, "the test ends the session")) }
    }
}
