import ActorBus
import ActorBusTesting
import Testing

/// ActorBus itself, with the simulated broker in the server's place.
@Suite(.timeLimit(.minutes(1))) struct SimulatedBrokerTests {
    @Test(arguments: RabbitMQVersion.allCases)
    func aMessageIsConfirmedConsumedAndAcknowledged(version: RabbitMQVersion) async throws {
        try await withSimulatedBroker(version: version) { broker in
            let topology = Topology {
                Exchange("orders", .topic)
                Queue("work", .quorum()).bound(to: "orders", routingKey: "order.*")
            }
            try await withConnection(to: broker.configuration, topology: topology) { connection in
                let publisher = try await connection.publisher()
                try await publisher.publish(Message(text: "one"), to: "orders", routingKey: "order.new")
                #expect(broker.messages(in: "work") == [Message(text: "one")])
                let work = Task { try await connection.process("work") { _ in .acknowledge } }
                try await broker.wait { $0.settled.count == 1 }
                #expect(broker.settled.first?.settlement == .acknowledged)
                #expect(broker.depth(of: "work") == 0)
                work.cancel()
                try await work.value
            }
            #expect(broker.published.map(\.queues) == [["work"]])
        }
    }

    @Test func whatNoQueueTakesIsReturned() async throws {
        try await withSimulatedBroker { broker in
            try await withConnection(to: broker.configuration) { connection in
                let publisher = try await connection.publisher()
                let error = await #expect(throws: AMQPError.self) {
                    try await publisher.publish(Message(text: "lost"), to: "", routingKey: "nowhere")
                }
                #expect(error?.code == .returned)
            }
            #expect(broker.published.map(\.queues) == [[]])
        }
    }

    @Test(arguments: RabbitMQVersion.allCases)
    func expiredAndRejectedMessagesAreDeadLettered(version: RabbitMQVersion) async throws {
        try await withSimulatedBroker(version: version) { broker in
            let letters: FieldTable = [
                "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead", "x-message-ttl": 60_000,
            ]
            let topology = Topology {
                Queue("work", arguments: letters)
                Queue("dead")
            }
            try await withConnection(to: broker.configuration, topology: topology) { connection in
                let publisher = try await connection.publisher()
                try await publisher.publish(Message(text: "late"), to: "", routingKey: "work")
                broker.advance(by: .seconds(59))
                #expect(broker.depth(of: "work") == 1)
                broker.advance(by: .seconds(2))
                #expect(broker.depth(of: "work") == 0)
                #expect(broker.depth(of: "dead") == 1)

                try await publisher.publish(Message(text: "bad"), to: "", routingKey: "work")
                let work = Task { try await connection.process("work") { _ in .reject } }
                try await broker.wait { $0.depth(of: "dead") == 2 }
                work.cancel()
                try await work.value
            }
            #expect(broker.dead.map(\.reason) == ["expired", "rejected"])
            let headers = broker.messages(in: "dead")?.map(\.properties.headers)
            #expect(headers?.map { $0["x-first-death-reason"] } == ["expired", "rejected"])
        }
    }

    @Test func aWrongPasswordAndAMissingPermissionAreRefused() async throws {
        try await withSimulatedBroker { broker in
            broker.setUser("reader", password: "secret", permissions: ["/": .init(configure: "", write: "")])
            var configuration = broker.configuration
            configuration.user = "reader"
            let login = await #expect(throws: AMQPError.self) { try await withConnection(to: configuration) { _ in } }
            #expect(login?.code == .loginRefused)
            configuration.password = "secret"
            let declare = await #expect(throws: AMQPError.self) {
                try await withConnection(to: configuration, topology: Topology { Queue("work") }) { _ in }
            }
            #expect(declare?.code == .accessRefused)
            configuration.virtualHost = "elsewhere"
            let host = await #expect(throws: AMQPError.self) { try await withConnection(to: configuration) { _ in } }
            #expect(host?.code == .virtualHostRefused)
        }
    }

    @Test func aConnectionThatIsClosedByTheBrokerRecovers() async throws {
        try await withSimulatedBroker { broker in
            let topology = Topology { Queue("work") }
            try await withConnection(to: broker.configuration, topology: topology) { connection in
                let publisher = try await connection.publisher()
                try await publisher.publish(Message(text: "before"), to: "", routingKey: "work")
                broker.closeAllConnections()
                try await publisher.publish(Message(text: "after"), to: "", routingKey: "work")
            }
            #expect(broker.messages(in: "work")?.suffix(1) == [Message(text: "after")])
        }
    }

    @Test func aConsumerIsToldThatItsQueueIsGone() async throws {
        try await withSimulatedBroker { broker in
            let topology = Topology { Queue("work") }
            try await withConnection(to: broker.configuration, topology: topology) { connection in
                let work = Task { try await connection.process("work") { _ in .acknowledge } }
                try await broker.wait { $0.consumers(of: "work") == 1 }
                broker.deleteQueue("work")
                // The client declares what belongs to it anew, and consumes again.
                try await broker.wait { $0.consumers(of: "work") == 1 }
                work.cancel()
                try await work.value
            }
        }
    }

    /// Queues like the pipeline's, in its quorum variant: a main queue, one for retries and one for dead letters.
    private static let pipeline = Topology {
        Exchange("orders", .fanout)
        Queue("work", .quorum(), arguments: moving(to: "work.dlq")).bound(to: "orders")
        Queue("work.dlq", .quorum())
        Queue("work.retry.5", .quorum(), arguments: moving(to: "work", after: 5000))
    }

    private static func moving(to queue: String, after milliseconds: Int64? = nil) -> FieldTable {
        var arguments: FieldTable = [
            "x-dead-letter-exchange": "", "x-dead-letter-routing-key": .string(queue),
            "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
        ]
        if let milliseconds { arguments["x-message-ttl"] = .int64(milliseconds) }
        return arguments
    }

    @Test(arguments: RabbitMQVersion.allCases)
    func aRetryComesBackAndADeliveryLimitMovesAMessage(version: RabbitMQVersion) async throws {
        try await withSimulatedBroker(version: version) { broker in
            try await withConnection(to: broker.configuration, topology: Self.pipeline) { connection in
                let publisher = try await connection.publisher()
                try await publisher.publish(Message(text: "again"), to: "", routingKey: "work.retry.5")
                // Time passes by itself, too.
                broker.advance(by: .seconds(4))
                #expect(broker.depth(of: "work") == 0)
                broker.advance(by: .seconds(1))
                #expect(broker.depth(of: "work") == 1)
                let work = Task { try await connection.process("work") { _ in .requeue } }
                if version == .threeTen {
                    try await broker.wait { ($0.summary(of: "work")?.returned ?? 0) > 50 }
                } else if version == .four {
                    try await broker.waitUntilSettled("work")
                    #expect(broker.summary(of: "work")?.dead == ["delivery_limit": 1])
                    #expect(broker.messages(in: "work.dlq")?.map(\.body) == [Array("again".utf8)])
                } else {
                    // A message that is given back has not failed there.
                    try await broker.wait { ($0.summary(of: "work")?.returned ?? 0) > 50 }
                }
                work.cancel()
                try await work.value
            }
        }
    }

    @Test(arguments: [false, true])
    func whatIsConfirmedOutlivesAKill(losesUnsynced: Bool) async throws {
        try await withSimulatedBroker { broker in
            broker.setSyncTime(.milliseconds(5))
            let topology = Topology { Queue("work") }
            try await withConnection(to: broker.configuration, topology: topology) { connection in
                let publisher = try await connection.publisher()
                try await publisher.publish(Message(text: "before"), to: "", routingKey: "work")
                broker.kill(losingUnsynced: losesUnsynced)
                broker.start()
                try await publisher.publish(Message(text: "after"), to: "", routingKey: "work")
            }
            #expect(broker.messages(in: "work") == [Message(text: "before"), Message(text: "after")])
        }
    }

    @Test func aClientGoesOnAtAnotherNode() async throws {
        try await withSimulatedBroker(nodes: 3) { broker in
            let topology = Topology { Queue("work", .quorum()) }
            try await withConnection(to: broker.configuration, topology: topology) { connection in
                let publisher = try await connection.publisher()
                try await publisher.publish(Message(text: "one"), to: "", routingKey: "work")
                let node = try #require(broker.connections.first?.node)
                broker.kill(node: node)
                try await publisher.publish(Message(text: "two"), to: "", routingKey: "work")
                #expect(broker.connections.first?.node != node)
                #expect(broker.node(of: "work") != node)
            }
            #expect(broker.depth(of: "work") == 2)
        }
    }

    @Test func aTestSeesWhatBecameOfItsMessages() async throws {
        try await withSimulatedBroker { broker in
            let topology = Topology {
                Queue("work", arguments: ["x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"])
                Queue("dead")
            }
            try await withConnection(to: broker.configuration, topology: topology) { connection in
                let publisher = try await connection.publisher()
                for text in ["good", "bad", "good"] {
                    try await publisher.publish(Message(text: text), to: "", routingKey: "work")
                }
                let work = Task {
                    try await connection.process("work") { delivery in
                        delivery.body == Array("bad".utf8) ? .reject : .acknowledge
                    }
                }
                try await broker.waitUntilSettled("work")
                work.cancel()
                try await work.value
            }
            #expect(broker.published(to: "", routingKey: "work").count == 3)
            #expect(broker.settled(in: "work", as: .acknowledged).count == 2)
            #expect(broker.dead(in: "work", because: "rejected") == [Message(text: "bad")])
            let summary = try #require(broker.summary(of: "work"))
            #expect(
                summary.description == "3 published, 0 ready, 0 unsettled, 2 acknowledged, 0 returned, dead: 1 rejected"
            )
            broker.clearRecord()
            #expect(broker.published.isEmpty && broker.depth(of: "dead") == 1)
        }
    }
}
