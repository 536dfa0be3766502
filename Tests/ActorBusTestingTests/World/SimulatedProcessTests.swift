import ActorBus
import ActorBusTesting
import Testing

/// Processes that are stopped and killed in the middle of anything.
@Suite(.timeLimit(.minutes(2))) struct SimulatedProcessTests {
    private static let seeds: [UInt64] = [1, 2, 3, 4, 5]

    /// A process that consumes `work`, and is a second at each message; what it has begun and finished is noted outside.
    private static func consumer(
        _ broker: SimulatedBroker, in simulated: SimulatedWorld, _ note: @escaping @Sendable (String) -> Void
    ) -> SimulatedProcess {
        simulated.start("consumer") { world in
            var configuration = broker.configuration
            configuration.world = world
            try await withConnection(to: configuration, topology: Self.topology) { connection in
                try await connection.process("work", prefetch: 1) { delivery in
                    note("began")
                    try await world.sleep(for: .seconds(1))
                    note("finished")
                    return .acknowledge
                }
            }
        }
    }

    private static let topology = Topology { Queue("work") }

    private static func publish(_ count: Int, to broker: SimulatedBroker) async throws {
        try await withConnection(to: broker.configuration, topology: topology) { connection in
            let publisher = try await connection.publisher()
            for number in 1...count {
                try await publisher.publish(Message(text: "\(number)"), to: "", routingKey: "work")
            }
        }
    }

    @Test(arguments: seeds) func aKilledProcessDoesNothingMore(seed: UInt64) async throws {
        try await withSimulatedBroker(seed: seed) { broker, simulated in
            let notes = Lock<[String]>([])
            try await Self.publish(2, to: broker)
            let process = Self.consumer(broker, in: simulated) { words in notes.withLock { $0.append(words) } }
            try await broker.wait { $0.unsettled(of: "work")?.count == 1 }
            try await simulated.sleep(for: .milliseconds(500))
            process.send(.kill)
            #expect(!process.isRunning)
            guard case .killed = await process.end() else { Issue.record("it was not killed"); return }
            // Its system closes its connection, and the broker has the message again.
            try await broker.wait { $0.depth(of: "work") == 2 }
            #expect(broker.connections.isEmpty)
            try await simulated.sleep(for: .seconds(3_600))
            #expect(notes.withLock { $0 } == ["began"])
        }
    }

    @Test(arguments: seeds) func aMachineWithoutPowerTellsNobody(seed: UInt64) async throws {
        try await withSimulatedBroker(seed: seed) { broker, simulated in
            try await Self.publish(1, to: broker)
            let process = Self.consumer(broker, in: simulated) { _ in }
            try await broker.wait { $0.unsettled(of: "work")?.count == 1 }
            process.send(.powerOff)
            let began = simulated.elapsed
            // Two heartbeats of 30 s.
            try await broker.wait { $0.depth(of: "work") == 1 }
            #expect((.seconds(50) ..< .seconds(65)).contains(simulated.elapsed - began))
        }
    }

    @Test(arguments: seeds) func aProcessThatIsTerminatedFinishesWhatItHas(seed: UInt64) async throws {
        try await withSimulatedBroker(seed: seed) { broker, simulated in
            let notes = Lock<[String]>([])
            try await Self.publish(2, to: broker)
            let process = Self.consumer(broker, in: simulated) { words in notes.withLock { $0.append(words) } }
            try await broker.wait { $0.unsettled(of: "work")?.count == 1 }
            try await simulated.sleep(for: .milliseconds(500))
            process.send(.terminate)
            guard case .exited(nil) = await process.end() else { Issue.record("it did not exit"); return }
            #expect(notes.withLock { $0 }.count == 2 && broker.depth(of: "work") == 1)
        }
    }

    /// Wherever a process is killed, nothing is lost, and what is left of it in memory comes to its end.
    @Test(arguments: [1, 2, 3] as [UInt64]) func aProcessCanBeKilledAtAnyOfItsSteps(seed: UInt64) async throws {
        for steps in stride(from: Int(seed), to: 120, by: 3) {
            let broker = SimulatedBroker()
            let simulated = SimulatedWorld(seed: seed)
            simulated.network.serve(broker, at: "broker")
            try await simulated.run {
                let configuration = simulated.configuration(of: "broker")
                try await withConnection(to: configuration, topology: Self.topology) { connection in
                    let publisher = try await connection.publisher()
                    try await publisher.publish(Message(text: "1"), to: "", routingKey: "work")
                }
                let process = simulated.start("consumer") { world in
                    var configuration = configuration
                    configuration.world = world
                    try await withConnection(to: configuration) { connection in
                        for try await delivery in connection.deliveries(from: "work") { delivery.acknowledge() }
                    }
                }
                process.send(.kill, afterSteps: steps)
                try await simulated.sleep(for: .seconds(10))
                process.send(.kill)
                try await simulated.sleep(for: .seconds(10))
                #expect(broker.connections.isEmpty)
                let acknowledged = broker.settled(in: "work", as: .acknowledged).count
                #expect((broker.depth(of: "work") ?? 0) + acknowledged == 1, "after \(steps) steps")
            }
            #expect(simulated.leftovers.isEmpty, "after \(steps) steps")
        }
    }

    @Test func theSameSeedGivesTheSameHistory() async throws {
        @Sendable func history() async throws -> UInt64 {
            let broker = SimulatedBroker()
            let simulated = SimulatedWorld(seed: 7)
            simulated.network.serve(broker, at: "broker")
            try await simulated.run {
                let configuration = simulated.configuration(of: "broker")
                for steps in [10, 50, 90] {
                    let process = simulated.start("one") { world in
                        var configuration = configuration
                        configuration.world = world
                        try await withConnection(to: configuration, topology: Self.topology) { connection in
                            for try await delivery in connection.deliveries(from: "work") { delivery.acknowledge() }
                        }
                    }
                    process.send(.kill, afterSteps: steps)
                    await process.end()
                }
            }
            return simulated.trace
        }
        let (first, second) = (try await history(), try await history())
        #expect(first == second)
    }
}
