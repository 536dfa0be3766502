import ActorBus
import Testing

@testable import ActorBusTesting

/// What the simulated broker says on the wire, where no random script asks for it.
@Suite struct ServerSessionTests {
    private func broker(_ version: RabbitMQVersion = .fourThree) -> BrokerModel {
        BrokerModel(version: version, epoch: 1_767_600_000_000)
    }

    private func client(_ broker: BrokerModel) throws -> WireClient {
        let client = try WireClient(SimulatedWire(broker))
        try Operation.openChannel.send(by: client, on: 1)
        return client
    }

    private func texts(_ client: WireClient) -> [String] { client.answers(milliseconds: 0).map(\.text) }

    @Test func anAlarmBlocksWhoPublishes() throws {
        let broker = broker()
        let client = try client(broker)
        try Operation.confirms.send(by: client, on: 1)
        _ = texts(client)
        broker.set(.memory, true)
        try Operation.publish("", key: "q", mandatory: false, .init(), body: "held").send(by: client, on: 1)
        #expect(texts(client) == ["blocked 'low on memory'"])
        broker.set(.memory, false)
        try Operation.flow.send(by: client, on: 1)
        #expect(texts(client) == ["unblocked", "ack #1", "method 20.21"])
    }

    @Test(arguments: [RabbitMQVersion.threeTen, .four])
    func aDeliveryThatIsNotSettledInTimeClosesTheChannel(version: RabbitMQVersion) throws {
        let broker = broker(version)
        broker.consumerTimeout = 60_000
        let client = try client(broker)
        try Operation.declareQueue("q").send(by: client, on: 1)
        try Operation.publish("", key: "q", mandatory: false, .init(), body: "slow").send(by: client, on: 1)
        try Operation.get("q", noAck: false).send(by: client, on: 1)
        _ = texts(client)
        broker.advance(to: 59_000)
        #expect(texts(client) == [])
        broker.advance(to: 61_000)
        #expect(texts(client).first?.hasPrefix("channel closed 406 'PRECONDITION_FAILED - delivery ack") == true)
        #expect(broker.hosts["/"]?.queues["q"]?.readyCount == 1)
    }

    @Test func aDeliveryOfAQuorumQueueThatIsNotSettledInTimeCancelsTheConsumer() throws {
        let broker = broker()
        broker.consumerTimeout = 60_000
        let client = try client(broker)
        try Operation.declareQueue("q", [("x-queue-type", .text("quorum"))]).send(by: client, on: 1)
        try Operation.publish("", key: "q", mandatory: false, .init(), body: "slow").send(by: client, on: 1)
        try Operation.consume("q", tag: "c", noAck: false, exclusive: false, []).send(by: client, on: 1)
        _ = texts(client)
        broker.advance(to: 61_000)
        #expect(texts(client) == ["cancel c"])
        #expect(broker.hosts["/"]?.queues["q"]?.readyCount == 1)
    }

    @Test func whatIsNotSimulatedIsRefused() throws {
        let broker = broker()
        for arguments: Operation.Arguments in [
            [("x-queue-type", .text("stream"))],
            [("x-queue-type", .text("quorum")), ("x-consumer-disconnected-timeout", .int(1))],
        ] {
            let client = try client(broker)
            _ = texts(client)
            try Operation.declareQueue("q", arguments).send(by: client, on: 1)
            let answer = texts(client).first ?? ""
            #expect(answer.hasPrefix("connection closed 540 'NOT_IMPLEMENTED - "))
            #expect(answer.contains("is not simulated"))
        }
        #expect(broker.hosts["/"]?.queues.isEmpty == true)
    }

    @Test func heartbeatsAreSentAndWaitedFor() {
        let session = ServerSession(broker: broker(), clock: 0)
        session.receive(ServerCodec.protocolHeader)
        let login = [0] + Array("guest".utf8) + [0] + Array("guest".utf8)
        session.receive(
            WireWriter.method(10, 11, on: 0, WireWriter().table([]).short("PLAIN").long(login).short("")))
        session.receive(WireWriter.method(10, 31, on: 0, WireWriter().u16(100).u32(131_072).u16(10)))
        session.receive(WireWriter.method(10, 40, on: 0, WireWriter().short("/").short("").u8(0)))
        _ = session.takeOutput()
        #expect(session.nextDeadline == 5_000)
        session.passTime(to: 5_000)
        #expect(session.takeOutput() == [8, 0, 0, 0, 0, 0, 0, 0xCE])
        session.passTime(to: 19_999)
        #expect(!session.isFinished)
        session.passTime(to: 20_000)
        #expect(session.isFinished)
    }

    @Test func bytesMayComeOneByOne() throws {
        let session = ServerSession(broker: broker(), clock: 0)
        for byte in ServerCodec.protocolHeader { session.receive([byte]) }
        var reader = AnswerReader()
        reader.append(session.takeOutput())
        #expect(reader.next()?.text.hasPrefix("start {") == true)
    }

    @Test func noInputTraps() throws {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<3_000 {
            let broker = broker(random.pick(RabbitMQVersion.allCases))
            let wire = SimulatedWire(broker)
            let client = try WireClient(wire)
            try Operation.openChannel.send(by: client, on: 1)
            let classID = random.pick([10, 20, 40, 50, 60, 85, 90] as [UInt16])
            let methodID = 10 + 10 * random.below(12)
            let arguments = (0..<random.below(40)).map { _ in UInt8(random.below(256)) }
            var bytes = WireWriter.method(
                classID, UInt16(methodID), on: UInt16(random.below(3)), WireWriter(bytes: arguments))
            if random.chance(50) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            wire.send(bytes)
            wire.send(WireWriter.frame(2, 1, (0..<random.below(30)).map { _ in UInt8(random.below(256)) }))
            _ = try? wire.receive(milliseconds: 0)
        }
    }
}
