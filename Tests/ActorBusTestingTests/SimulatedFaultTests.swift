import ActorBus
import Testing

@testable import ActorBusTesting

/// What befalls the simulated broker by script.
@Suite struct SimulatedFaultTests {
    private func broker(_ version: RabbitMQVersion = .fourThree, nodes: Int = 1) -> BrokerModel {
        BrokerModel(version: version, epoch: 1_767_600_000_000, nodes: nodes)
    }

    /// A client whose channel 1 confirms what it publishes.
    private func client(_ broker: BrokerModel, node: Int = 0) throws -> WireClient {
        let client = try WireClient(SimulatedWire(broker, node: node))
        try Operation.openChannel.send(by: client, on: 1)
        try Operation.confirms.send(by: client, on: 1)
        _ = texts(client)
        return client
    }

    private func texts(_ client: WireClient) -> [String] { client.answers(milliseconds: 0).map(\.text) }

    private func say(_ operations: Operation..., to client: WireClient) throws -> [String] {
        for operation in operations { try operation.send(by: client, on: 1) }
        return texts(client)
    }

    private func publish(_ body: String, to queue: String, isPersistent: Bool = true) -> Operation {
        .publish(
            "", key: queue, mandatory: true, Operation.Properties(isPersistent: isPersistent), body: body)
    }

    private let quorum: Operation.Arguments = [("x-queue-type", .text("quorum"))]

    private func bodies(_ broker: BrokerModel, _ queue: String) -> [String]? {
        broker.hosts["/"]?.queues[queue]?.messages.map { String(decoding: $0.body, as: UTF8.self) }
    }

    // MARK: Kill and restart

    @Test(arguments: RabbitMQVersion.allCases)
    func whatIsDurableOutlivesARestart(version: RabbitMQVersion) throws {
        let broker = broker(version)
        let client = try client(broker)
        _ = try say(
            .declareExchange("kept", type: "fanout"), .declareExchange("lost", type: "fanout", flags: []),
            .declareQueue("classic"), .declareQueue("quorum", quorum), .declareQueue("transient", flags: []),
            .bindQueue("classic", to: "kept", key: ""), .bindQueue("classic", to: "lost", key: ""),
            publish("one", to: "classic"), publish("gone", to: "classic", isPersistent: false),
            publish("two", to: "classic"), publish("three", to: "quorum"), publish("four", to: "transient"),
            to: client)
        #expect(bodies(broker, "classic") == ["one", "gone", "two"])
        broker.kill(node: 0, unsynced: .kept)
        #expect(texts(client) == [])
        #expect(client.isClosed)
        #expect(throws: (any Error).self) { try WireClient(SimulatedWire(broker)) }
        broker.start(node: 0)
        #expect(bodies(broker, "classic") == ["one", "two"])
        #expect(bodies(broker, "quorum") == ["three"])
        #expect(bodies(broker, "transient") == nil)
        let host = try #require(broker.hosts["/"])
        #expect(host.exchanges["kept"] != nil)
        #expect((host.exchanges["lost"] == nil) == (version != .fourThree))
        #expect(host.bindings.map(\.source) == (version == .fourThree ? ["kept", "lost"] : ["kept"]))
    }

    @Test func whatIsNotOnDiskIsLostOrKept() throws {
        for fate in [UnsyncedFate.kept, .lost] {
            let broker = broker()
            broker.syncTime = 100
            let client = try client(broker)
            var answers = try say(
                .declareQueue("q"), publish("one", to: "q"), publish("two", to: "q"), .get("q", noAck: false),
                to: client)
            #expect(!answers.contains("ack #1"))
            broker.advance(to: 100)
            answers = texts(client)
            #expect(answers == ["ack #2"])
            answers = try say(.ack(1, multiple: false), publish("three", to: "q"), to: client)
            #expect(answers == [])
            broker.kill(node: 0, unsynced: fate)
            broker.start(node: 0)
            #expect(bodies(broker, "q") == (fate == .kept ? ["two", "three"] : ["one", "two"]))
        }
    }

    @Test func confirmsThatAreDueTogetherShareAFrame() throws {
        let broker = broker()
        broker.syncTime = 10
        let wire = SimulatedWire(broker)
        let client = try WireClient(wire)
        _ = try say(.openChannel, .confirms, .declareQueue("q"), to: client)
        for body in ["one", "two", "three"] { try publish(body, to: "q").send(by: client, on: 1) }
        broker.advance(to: 10)
        var reader = AnswerReader()
        reader.append(try wire.receive(milliseconds: 0))
        #expect(reader.next()?.kind == .confirm(tag: 3, multiple: true, isRefusal: false))
        #expect(reader.next() == nil)
    }

    // MARK: Freezing

    @Test func aFrozenNodeSaysNothingAndForgetsNothing() throws {
        let broker = broker()
        let client = try client(broker)
        _ = try say(.declareQueue("q"), to: client)
        broker.freeze(node: 0, true)
        #expect(try say(publish("late", to: "q"), to: client) == [])
        #expect(bodies(broker, "q") == [])
        broker.freeze(node: 0, false)
        #expect(texts(client) == ["ack #1"])
        #expect(bodies(broker, "q") == ["late"])
    }

    // MARK: Several nodes

    @Test func aClassicQueueIsAwayWithItsNode() throws {
        let broker = broker(.threeTen, nodes: 3)
        let home = try client(broker, node: 1)
        _ = try say(.declareQueue("q"), publish("one", to: "q"), to: home)
        let client = try client(broker)
        #expect(
            try say(.consume("q", tag: "c", noAck: false, exclusive: false, []), to: client).first == "consume-ok c")
        broker.kill(node: 1, unsynced: .kept)
        #expect(texts(client) == ["cancel c"])
        #expect(try say(publish("two", to: "q"), to: client).map { $0.prefix(12) } == ["return 312 N", "ack #1"])
        #expect(
            try say(.declareQueue("q"), to: client) == [
                "channel closed 404 'NOT_FOUND - home node 'rabbit@node-2' of durable queue 'q' in vhost '/' is down "
                    + "or inaccessible' for 50.10"
            ])
        broker.start(node: 1)
        #expect(try say(.openChannel, .get("q", noAck: true), to: client).last?.hasPrefix("get-ok #1 again=1") == true)
    }

    @Test(arguments: [RabbitMQVersion.four, .fourThree])
    func aClientOfRabbitMQ4WaitsForAClassicQueueThatIsAway(version: RabbitMQVersion) throws {
        let broker = broker(version, nodes: 3)
        let home = try client(broker, node: 1)
        _ = try say(.declareQueue("q"), to: home)
        let client = try client(broker)
        broker.kill(node: 1, unsynced: .kept)
        #expect(try say(publish("lost", to: "q"), to: client) == ["nack #1"])
        #expect(try say(.declareQueue("q"), to: client) == [])
        broker.advance(to: 62_000)
        #expect(
            texts(client) == [
                "channel closed 404 'NOT_FOUND - failed to perform operation on queue 'q' in vhost '/' due to timeout' "
                    + "for 50.10"
            ])
        #expect(try say(.openChannel, .declareQueue("q"), to: client) == ["method 20.11"])
        broker.start(node: 1)
        #expect(texts(client) == ["declare-ok q 0 0"])
    }

    @Test(arguments: RabbitMQVersion.allCases)
    func aQuorumQueueGoesOnWhileMostOfItsMembersAreLeft(version: RabbitMQVersion) throws {
        let broker = broker(version, nodes: 3)
        let client = try client(broker, node: 2)
        _ = try say(.declareQueue("q", quorum), publish("one", to: "q"), to: client)
        let queue = try #require(broker.hosts["/"]?.queues["q"])
        #expect(queue.node == 2)
        #expect(broker.moveLeader(of: queue, to: 0))
        broker.kill(node: 0, unsynced: .lost)
        #expect(queue.node == 2)
        #expect(try say(publish("two", to: "q"), to: client) == ["ack #2"])
        broker.kill(node: 1, unsynced: .kept)
        #expect(try say(publish("three", to: "q"), .get("q", noAck: true), to: client) == [])
        broker.start(node: 1)
        let answers = texts(client)
        #expect(answers.first == "ack #3")
        #expect(answers.last?.hasPrefix("get-ok #1 again=0") == true)
        #expect(bodies(broker, "q") == ["two", "three"])
    }

    // MARK: Closing

    @Test func theBrokerClosesAConnectionAndAChannel() throws {
        let broker = broker()
        let client = try client(broker)
        let connection = try #require(broker.connections.first)
        connection.sortedChannels.first?.close(for: .preconditionFailed("why not"), method: 0)
        #expect(texts(client) == ["channel closed 406 'PRECONDITION_FAILED - why not' for 0.0"])
        connection.close(for: ReplyError(.connectionForced, "go"), method: 0)
        #expect(texts(client) == ["connection closed 320 'CONNECTION_FORCED - go' for 0.0"])
    }

    // MARK: Dead letters that wait for a confirm

    @Test(arguments: RabbitMQVersion.allCases)
    func aDeadLetterWaitsForAQueueThatTakesIt(version: RabbitMQVersion) throws {
        let broker = broker(version)
        let client = try client(broker)
        let moving: Operation.Arguments =
            quorum + [
                ("x-dead-letter-exchange", .text("")), ("x-dead-letter-routing-key", .text("dead")),
                ("x-dead-letter-strategy", .text("at-least-once")), ("x-overflow", .text("reject-publish")),
                ("x-message-ttl", .int(1000)),
            ]
        _ = try say(.declareQueue("q", moving), publish("one", to: "q"), to: client)
        let queue = try #require(broker.hosts["/"]?.queues["q"])
        broker.advance(to: 1000)
        #expect(queue.readyCount == 0)
        #expect(queue.letters.count == 1)
        _ = try say(.declareQueue("dead", quorum), to: client)
        broker.advance(to: 180_999)
        #expect(bodies(broker, "dead") == [])
        broker.advance(to: 181_000)
        #expect(bodies(broker, "dead") == ["one"])
        #expect(queue.letters.count == 0)
    }

    // MARK: Time-outs

    @Test func whoSettlesTooLateOnRabbitMQ43KeepsItsTagUntilItHasGone() throws {
        let broker = broker()
        let client = try client(broker)
        _ = try say(
            .declareQueue("q", quorum + [("x-consumer-timeout", .int(1000))]), publish("one", to: "q"),
            .consume("q", tag: "c", noAck: false, exclusive: false, []), to: client)
        broker.advance(to: 1000)
        #expect(texts(client) == ["cancel c"])
        #expect(bodies(broker, "q") == ["one"])
        // What comes too late settles nothing, and lets the consumer take part again.
        let again = try say(.ack(1, multiple: false), to: client)
        #expect(again.map { $0.prefix(20) } == ["deliver c #2 again=1"])
        let reused = try say(.consume("q", tag: "c", noAck: false, exclusive: false, []), to: client)
        #expect(reused.first?.hasPrefix("connection closed 530 'NOT_ALLOWED - attempt to reuse") == true)
    }

    @Test func getThatIsSettledTooLateClosesTheChannel() throws {
        let broker = broker()
        broker.consumerTimeout = 1000
        let client = try client(broker)
        _ = try say(.declareQueue("q", quorum), publish("one", to: "q"), .get("q", noAck: false), to: client)
        broker.advance(to: 1000)
        #expect(texts(client).first?.contains("Timeout value used: -1 ms") == true)
        #expect(bodies(broker, "q") == ["one"])
    }
}
