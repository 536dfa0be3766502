import ActorBus
import ActorBusTesting
import Testing

@Suite(.timeLimit(.minutes(2))) struct SimulatedNetworkTests {
    private let simulated = SimulatedWorld(seed: 11)
    private let broker = SimulatedBroker()
    private let configuration: ConnectionConfiguration

    init() {
        simulated.network.serve(broker, at: "broker")
        configuration = simulated.configuration(of: "broker")
    }

    @Test func aRefusedConnectIsTriedAgainAfterItsPause() async throws {
        simulated.network.shutDown("broker")
        await #expect {
            try await simulated.run { [configuration] in _ = try await AMQPConnection.connect(configuration) }
        } throws: { error in
            (error as? AMQPError)?.code == .brokerUnreachable
        }
        // Ten attempts, five seconds apart.
        #expect(simulated.elapsed > .seconds(45) && simulated.elapsed < .seconds(46))
    }

    @Test func aConnectThatIsNotAnsweredIsGivenUpInTime() async throws {
        simulated.network.fate = { _, _ in
            var fate = SimulatedNetwork.Fate()
            fate.connecting = .unanswered
            return fate
        }
        var configuration = configuration
        configuration.connectAttempts = 1
        await #expect(throws: AMQPError.self) {
            try await simulated.run { [configuration] in _ = try await AMQPConnection.connect(configuration) }
        }
        #expect(simulated.elapsed >= .seconds(10) && simulated.elapsed < .seconds(11))
    }

    @Test func anUnknownNameIsNoBroker() async throws {
        var configuration = simulated.configuration(of: "nobody")
        configuration.connectAttempts = 1
        await #expect {
            try await simulated.run { [configuration] in _ = try await AMQPConnection.connect(configuration) }
        } throws: { error in
            "\(error)".contains("'nobody' does not resolve")
        }
    }

    /// After twice the heartbeat of silence the broker counts as dead.
    @Test func aHalfOpenConnectionIsFoundByItsHeartbeats() async throws {
        var configuration = configuration
        configuration.heartbeat = .seconds(10)
        try await simulated.run { [configuration, simulated] in
            try await withConnection(to: configuration) { connection in
                simulated.network.breakConnections(to: "broker", .silence)
                let before = simulated.elapsed
                for await status in connection.statusUpdates() where status.state == .recovering {
                    let silence = simulated.elapsed - before
                    #expect(silence > .seconds(19) && silence < .seconds(21))
                    break
                }
                for await status in connection.statusUpdates() where status.state == .open { break }
            }
        }
        #expect(simulated.leftovers.isEmpty)
    }

    /// Wherever the stream breaks during login and declaration, in either direction, the next attempt succeeds.
    @Test func aStreamCanBreakAtAnyByte() async throws {
        for bytes in stride(from: 0, to: 1_200, by: 7) {
            let simulated = SimulatedWorld(seed: UInt64(bytes))
            let broker = SimulatedBroker()
            simulated.network.serve(broker, at: "broker")
            let connections = Lock(0)
            simulated.network.fate = { _, _ in
                var fate = SimulatedNetwork.Fate()
                let number = connections.withLock { count in
                    count += 1
                    return count
                }
                if number == 1 { fate.bytesToBroker = bytes }
                if number == 2 { fate.bytesToClient = bytes }
                return fate
            }
            var configuration = simulated.configuration(of: "broker")
            configuration.connectDelay = .milliseconds(10)
            try await simulated.run { [configuration] in
                try await withConnection(to: configuration, topology: Topology(queues: [Queue("work")])) {
                    let publisher = try await $0.publisher()
                    for _ in 0..<3 { try await publisher.publish(Message(body: [1]), to: "", routingKey: "work") }
                }
            }
            #expect(try #require(broker.depth(of: "work")) >= 3)
            #expect(simulated.leftovers.isEmpty)
        }
    }

    @Test func aFrozenBrokerGoesOnWhereItStopped() async throws {
        try await simulated.run { [configuration, simulated, broker] in
            try await withConnection(to: configuration, topology: Topology(queues: [Queue("work")])) {
                let publisher = try await $0.publisher()
                simulated.network.freeze("broker")
                async let confirmed: Void = publisher.publish(Message(body: [1]), to: "", routingKey: "work")
                try await simulated.sleep(for: .seconds(5))
                #expect(broker.published.isEmpty)
                simulated.network.thaw("broker")
                try await confirmed
                #expect(broker.depth(of: "work") == 1 && $0.status.recoveries == 0)
            }
        }
    }

    @Test func aNameThatMovesIsFollowed() async throws {
        let other = SimulatedBroker()
        simulated.network.serve(other, at: "other")
        try await simulated.run { [configuration, simulated] in
            try await withConnection(to: configuration, topology: Topology(queues: [Queue("work")])) { connection in
                simulated.network.setAddresses(simulated.network.addresses(of: "other"), of: "broker")
                simulated.network.shutDown("broker")
                for await status in connection.statusUpdates() where status.recoveries == 1 { break }
            }
        }
        #expect(other.depth(of: "work") == 0)
    }

    @Test func aClientGoesOnAtAnotherNodeOfTheBroker() async throws {
        let cluster = SimulatedBroker(nodes: 3)
        for node in 0..<3 { simulated.network.serve(cluster, node: node, at: "node-\(node)") }
        var configuration = simulated.configuration(of: "node-0")
        configuration.endpoints = (0..<3).map { .init(host: "node-\($0)", port: 5672) }
        try await simulated.run { [configuration] in
            try await withConnection(to: configuration, topology: Topology(queues: [Queue("work", .quorum())])) {
                let publisher = try await $0.publisher()
                try await publisher.publish(Message(body: [1]), to: "", routingKey: "work")
                let node = try #require(cluster.connections.first?.node)
                cluster.kill(node: node)
                try await publisher.publish(Message(body: [2]), to: "", routingKey: "work")
                #expect(cluster.connections.map(\.node) != [node])
            }
        }
        #expect(cluster.depth(of: "work") == 2)
    }
}
