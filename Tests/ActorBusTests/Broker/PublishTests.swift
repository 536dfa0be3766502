import LocalBroker
import Testbed
import Testing

@testable import ActorBus

/// Publishing to a real broker.
@Suite(.logsOnFailure, .timeLimit(.minutes(5))) struct PublishTests {
    @Test func aConfirmedMessageIsInTheQueue() async throws {
        try await withQueue("confirmed") { connection, queue in
            try await connection.fill(queue, 500)
            #expect(try await connection.inspect(queue: queue).messages == 500)
        }
    }

    @Test func sentMessagesKeepTheirOrderAndAreConfirmed() async throws {
        try await withQueue("sent") { connection, queue in
            let publisher = try await connection.publisher(window: 50)
            var sent: [PendingConfirm] = []
            for number in 0..<500 {
                sent.append(try await publisher.send(Message(text: "\(number)"), to: "", routingKey: queue))
            }
            for confirm in sent { try await confirm.confirmed() }
            // As often as one likes.
            try await sent[0].confirmed()
            #expect(try await connection.inspect(queue: queue).messages == 500)
            var texts: [String] = []
            for try await delivery in connection.deliveries(from: queue, prefetch: 100) {
                texts.append(String(decoding: delivery.body, as: UTF8.self))
                delivery.acknowledge()
                if texts.count == 500 { break }
            }
            #expect(texts == (0..<500).map { "\($0)" })
        }
    }

    /// More publishers than a connection has channels, one after the other.
    @Test func aPublisherThatNobodyHoldsGivesItsChannelBack() async throws {
        try await withQueue("released") { connection, queue in
            try await withThrowingTaskGroup { group in
                for _ in 0..<42 {
                    group.addTask {
                        for _ in 0..<50 { _ = try await connection.publisher() }
                        // What is under way has its end first.
                        _ = try await connection.publisher().send(Message(text: "m"), to: "", routingKey: queue)
                    }
                }
                try await group.waitForAll()
            }
            try await eventually(within: .seconds(10), "42 messages in the queue") {
                try await connection.inspect(queue: queue).messages == 42
            }
        }
    }

    @Test func aSentMessageThatFailsTellsWhoWaits() async throws {
        try await withQueue("sent and failed") { connection, queue in
            let publisher = try await connection.publisher()
            let returned = try await publisher.send(Message(text: "r"), to: "", routingKey: "no such queue")
            let tooLong = try await publisher.send(
                Message(text: "l"), to: "", routingKey: String(repeating: "k", count: 256))
            let good = try await publisher.send(Message(text: "g"), to: "", routingKey: queue)
            let waits = (0..<10).map { _ in Task { try await returned.confirmed() } }
            for wait in waits {
                let error = await #expect(throws: AMQPError.self) { try await wait.value }
                #expect(error?.code == .returned)
            }
            let error = await #expect(throws: AMQPError.self) { try await tooLong.confirmed() }
            #expect(error?.code == .invalidMessage)
            try await good.confirmed()
            await connection.close()
            let late = try await publisher.send(Message(text: "late"), to: "", routingKey: queue)
            let closed = await #expect(throws: AMQPError.self) { try await late.confirmed() }
            #expect(closed?.code == .connectionClosed)
        }
    }

    @Test func anUnroutableMessageIsReturnedAndItsNeighboursAreNot() async throws {
        try await withQueue("returned") { connection, queue in
            let publisher = try await connection.publisher()
            let outcomes = await withTaskGroup { group in
                for number in 0..<100 {
                    group.addTask {
                        let key = number % 10 == 3 ? "no such queue" : queue
                        do {
                            try await publisher.publish(Message(text: "m"), to: "", routingKey: key)
                            return nil as AMQPError?
                        } catch {
                            return error as? AMQPError
                        }
                    }
                }
                return await group.reduce(into: [AMQPError?]()) { $0.append($1) }
            }
            let errors = outcomes.compactMap(\.self)
            #expect(errors.count == 10)
            #expect(errors.allSatisfy { $0.code == .returned && $0.replyCode == 312 })
            #expect(errors.allSatisfy { $0.message == "there is no queue 'no such queue' to take the message" })
            #expect(try await connection.inspect(queue: queue).messages == 90)
        }
    }

    @Test func aMessageThatNoQueueOfAnExchangeTookNamesBoth() async throws {
        try await withQueue("unbound") { connection, _ in
            let publisher = try await connection.publisher()
            let error = await #expect(throws: AMQPError.self) {
                try await publisher.publish(Message(text: "m"), to: "amq.direct", routingKey: "nobody")
            }
            #expect(error?.code == .returned)
            #expect(error?.message == "no queue took the message to 'amq.direct' with the routing key 'nobody'")
        }
    }

    @Test func anUnroutableMessageThatIsNotMandatoryIsConfirmed() async throws {
        try await withQueue("optional") { connection, queue in
            try await connection.publisher().publish(
                Message(text: "m"), to: "", routingKey: "no such queue", mandatory: false)
            #expect(try await connection.inspect(queue: queue).messages == 0)
        }
    }

    @Test func aFullQueueRefuses() async throws {
        try await withQueue("full", arguments: ["x-max-length": 1, "x-overflow": "reject-publish"]) {
            connection, queue in
            let publisher = try await connection.publisher()
            try await publisher.publish(Message(text: "1"), to: "", routingKey: queue)
            let error = await #expect(throws: AMQPError.self) {
                try await publisher.publish(Message(text: "2"), to: "", routingKey: queue)
            }
            #expect(error?.code == .refused)
            #expect(try await connection.inspect(queue: queue).messages == 1)
        }
    }

    @Test func aMissingExchangeFailsOnlyItsOwnMessages() async throws {
        try await withQueue("culprit") { connection, queue in
            let publisher = try await connection.publisher()
            let exchanges = [unique("missing"), unique("missing too")]
            let failed = try await withThrowingTaskGroup { group in
                for number in 0..<300 {
                    group.addTask {
                        let culprit = number == 100 ? 0 : number == 200 ? 1 : nil
                        do {
                            try await publisher.publish(
                                Message(text: "\(number)"), to: culprit.map { exchanges[$0] } ?? "", routingKey: queue)
                            return nil as Int?
                        } catch let error as AMQPError {
                            #expect(error.code == .notFound, "\(error)")
                            return number
                        }
                    }
                }
                return try await group.reduce(into: [Int]()) { if let number = $1 { $0.append(number) } }
            }
            #expect(failed.sorted() == [100, 200])
            // Those that were under way when the channel closed were published again, so some may be there twice.
            #expect(try await connection.inspect(queue: queue).messages >= 298)
            #expect(connection.status.recoveries == 0)
        }
    }

    /// The broker's words do not always say which message it means, and then each is tried alone.
    @Test func aRefusedPropertyFailsOnlyItsOwnMessages() async throws {
        try await withQueue("property") { connection, queue in
            let publisher = try await connection.publisher()
            let offending: [Int: MessageProperties] = [
                50: MessageProperties(replyTo: "amq.rabbitmq.reply-to"), 100: MessageProperties(userID: "eve"),
                150: MessageProperties(expiration: "never"), 200: MessageProperties(headers: ["CC": 5]),
            ]
            let failed = try await withThrowingTaskGroup { group in
                for number in 0..<300 {
                    group.addTask {
                        do {
                            try await publisher.publish(
                                Message(text: "\(number)", properties: offending[number] ?? MessageProperties()),
                                to: "",
                                routingKey: queue)
                            return nil as Int?
                        } catch let error as AMQPError {
                            #expect(error.code == .preconditionFailed, "\(error)")
                            return number
                        }
                    }
                }
                return try await group.reduce(into: [Int]()) { if let number = $1 { $0.append(number) } }
            }
            #expect(failed.sorted() == [50, 100, 150, 200])
            #expect(try await connection.inspect(queue: queue).messages >= 296)
            #expect(connection.status.recoveries == 0)
        }
    }

    /// RabbitMQ has a name for the default exchange that is in no message.
    @Test func aMissingRightOnTheDefaultExchangeIsKnownForWhatItIs() async throws {
        let broker = try await SharedBroker.quiet.value
        let (user, queue) = (unique("writer"), unique("default"))
        try await broker.rabbitmqctl(["add_user", user, "secret"])
        try await broker.rabbitmqctl(["set_permissions", user, "", "^amq.fanout$", ""])
        var configuration = broker.configuration
        (configuration.user, configuration.password) = (user, "secret")
        try await withConnection(to: configuration) { connection in
            let publisher = try await connection.publisher()
            let allowed = (0..<20).map { number in
                Task { try await publisher.publish(Message(text: "\(number)"), to: "amq.fanout", mandatory: false) }
            }
            let error = await #expect(throws: AMQPError.self) {
                try await publisher.publish(Message(text: "not allowed"), to: "", routingKey: queue)
            }
            #expect(error?.code == .accessRefused, "\(String(describing: error))")
            for publish in allowed { try await publish.value }
        }
        try await broker.rabbitmqctl(["delete_user", user])
    }

    @Test func tenMegabytesComeBackWhole() async throws {
        try await withQueue("large") { connection, queue in
            let body = (0..<10 << 20).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
            try await connection.publisher().publish(Message(body: body), to: "", routingKey: queue)
            var deliveries = connection.deliveries(from: queue).makeAsyncIterator()
            let delivery = try await deliveries.next()
            #expect(delivery?.body == body)
            delivery?.acknowledge()
        }
    }

    @Test func bodiesAroundTheFrameSizeComeBackWhole() async throws {
        try await withQueue("sizes") { connection, queue in
            let publisher = try await connection.publisher()
            let sizes = [0, 1, 131_063, 131_064, 131_065, 262_128, 262_129]
            for size in sizes {
                try await publisher.publish(
                    Message(body: [UInt8](repeating: UInt8(size & 0xFF), count: size)), to: "", routingKey: queue)
            }
            var deliveries = connection.deliveries(from: queue, prefetch: 10).makeAsyncIterator()
            for size in sizes {
                let delivery = try #require(try await deliveries.next())
                #expect(delivery.body == [UInt8](repeating: UInt8(size & 0xFF), count: size))
                delivery.acknowledge()
            }
        }
    }

    @Test func everyPropertyComesBack() async throws {
        try await withQueue("properties") { connection, queue in
            var properties = PropertiesCodecTests.everyProperty
            properties.deliveryMode = .persistent
            try await connection.publisher().publish(
                Message(text: "m", properties: properties), to: "", routingKey: queue)
            var deliveries = connection.deliveries(from: queue).makeAsyncIterator()
            let delivery = try #require(try await deliveries.next())
            #expect(delivery.properties == properties)
            #expect(delivery.headersFault == nil)
            #expect(delivery.exchange.isEmpty && delivery.routingKey == queue && !delivery.redelivered)
            delivery.acknowledge()
        }
    }

    @Test func aMessageThatCannotBeEncodedHarmsNoOther() async throws {
        try await withQueue("invalid") { connection, queue in
            let publisher = try await connection.publisher()
            for properties in [
                MessageProperties(messageID: String(repeating: "x", count: 256)),
                MessageProperties(headers: ["large": .bytes([UInt8](repeating: 0, count: 140_000))]),
            ] {
                let error = await #expect(throws: AMQPError.self) {
                    try await publisher.publish(Message(text: "m", properties: properties), to: "", routingKey: queue)
                }
                #expect(error?.code == .invalidMessage)
            }
            try await publisher.publish(Message(text: "m"), to: "", routingKey: queue)
            #expect(connection.status.recoveries == 0)
        }
    }

    @Test func aMessageOfAUserThatIsNotOursIsRefusedAlone() async throws {
        try await withQueue("user") { connection, queue in
            let publisher = try await connection.publisher()
            let error = await #expect(throws: AMQPError.self) {
                try await publisher.publish(
                    Message(text: "m", properties: .init(userID: "somebody")), to: "", routingKey: queue)
            }
            #expect(error != nil)
            try await publisher.publish(Message(text: "m"), to: "", routingKey: queue)
            #expect(connection.status.recoveries == 0)
        }
    }

    @Test func manyTasksOverASmallWindowAllFinish() async throws {
        try await withQueue("window") { connection, queue in
            let publisher = try await connection.publisher(window: 3)
            try await withThrowingTaskGroup { group in
                for number in 0..<500 {
                    group.addTask { try await publisher.publish(Message(text: "\(number)"), to: "", routingKey: queue) }
                }
                try await group.waitForAll()
            }
            #expect(try await connection.inspect(queue: queue).messages == 500)
        }
    }

    @Test(arguments: [(0, 1), (-1, 1), (1, 0), (1, -1)])
    func aPublisherThatCannotWorkIsRefused(window: Int, seconds: Int) async throws {
        try await withQueue("refused") { connection, _ in
            let error = await #expect(throws: AMQPError.self) {
                _ = try await connection.publisher(window: window, timeout: .seconds(seconds))
            }
            #expect(error?.code == .invalidConfiguration)
        }
    }
}
