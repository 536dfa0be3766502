import ActorBus
import ActorBusTesting
import Testing

@Suite(.timeLimit(.minutes(2))) struct SimulatedWorldTests {
    /// Publishers and a consumer over a network that breaks, told as what the broker has seen and a trace of all.
    private static func run(seed: UInt64) async throws -> (trace: UInt64, elapsed: Duration, settled: Int) {
        let simulated = SimulatedWorld(seed: seed)
        let broker = SimulatedBroker()
        simulated.network.serve(broker, at: "broker")
        var configuration = simulated.configuration(of: "broker")
        configuration.recoveryDelay = .milliseconds(10)...(.seconds(1))
        let topology = Topology(queues: [Queue("work")])
        try await simulated.run { [configuration] in
            try await withConnection(to: configuration, topology: topology) { connection in
                let consuming = simulated.task {
                    try await connection.process("work", prefetch: 10, concurrency: 4) { _ in
                        try await simulated.sleep(for: .milliseconds(3))
                        return .acknowledge
                    }
                }
                let publisher = try await connection.publisher()
                try await withThrowingDiscardingTaskGroup { group in
                    for number in 0..<20 {
                        group.addTask {
                            try await simulated.sleep(for: .milliseconds(number * 10))
                            do {
                                try await publisher.publish(
                                    Message(body: Array("message \(number)".utf8)), to: "", routingKey: "work")
                            } catch let error as AMQPError where error.code == .maybePublished {
                                // As it may be where the network breaks.
                            }
                        }
                    }
                    group.addTask {
                        for _ in 0..<3 {
                            try await simulated.sleep(for: .milliseconds(50))
                            simulated.network.breakConnections(to: "broker")
                        }
                    }
                }
                try await broker.wait { $0.settled.count { $0.settlement == .acknowledged } >= 20 }
                consuming.cancel()
                try await consuming.value
            }
        }
        #expect(simulated.leftovers.isEmpty)
        return (simulated.trace, simulated.elapsed, broker.settled.count)
    }

    @Test func theSameSeedGivesTheSameRun() async throws {
        for seed in 0..<5 as Range<UInt64> {
            let (first, second) = (try await Self.run(seed: seed), try await Self.run(seed: seed))
            #expect(first == second)
        }
    }

    @Test func otherSeedsGiveOtherRuns() async throws {
        var traces: Set<UInt64> = []
        for seed in 0..<10 as Range<UInt64> { traces.insert(try await Self.run(seed: seed).trace) }
        #expect(traces.count == 10)
    }

    @Test func hoursTakeNoTime() async throws {
        let simulated = SimulatedWorld(seed: 1)
        let clock = ContinuousClock()
        let took = try await clock.measure {
            try await simulated.run {
                try await simulated.sleep(for: .seconds(3600))
                let before = simulated.world.clock.now
                try await simulated.world.clock.sleep(for: .seconds(3600))
                #expect(before.duration(to: simulated.world.clock.now) >= .seconds(3600))
            }
        }
        #expect(simulated.elapsed >= .seconds(7200) && simulated.elapsed < .seconds(7201))
        #expect(took < .seconds(60))
    }

    @Test func aCancelledSleepEndsAtOnce() async throws {
        let simulated = SimulatedWorld(seed: 1)
        try await simulated.run {
            let sleeping = simulated.task { try await simulated.sleep(for: .seconds(3600)) }
            try await simulated.sleep(for: .seconds(1))
            sleeping.cancel()
            await #expect(throws: CancellationError.self) { try await sleeping.value }
        }
        #expect(simulated.elapsed < .seconds(2))
    }

    @Test func whatCanNeverHappenIsSaid() async throws {
        let simulated = SimulatedWorld(seed: 1)
        await #expect(throws: SimulationFailure.self) {
            try await simulated.run {
                let (stream, continuation) = AsyncStream<Int>.makeStream()
                for await _ in stream {}
                continuation.finish()
            }
        }
        await #expect(throws: SimulationFailure.self) {
            try await simulated.run(limit: .seconds(10)) { try await simulated.sleep(for: .seconds(60)) }
        }
    }

    @Test func aRunIsCancelledWithItsTask() async throws {
        let simulated = SimulatedWorld(seed: 1)
        let running = Task {
            try await simulated.run {
                while true { try await simulated.sleep(for: .milliseconds(1)) }
            }
        }
        running.cancel()
        await #expect(throws: CancellationError.self) { try await running.value }
    }

    @Test func aConnectionThatNobodyClosesIsLeftOver() async throws {
        let simulated = SimulatedWorld(seed: 1)
        simulated.network.serve(SimulatedBroker(), at: "broker")
        let configuration = simulated.configuration(of: "broker")
        let kept = Lock<AMQPConnection?>(nil)
        try await simulated.run {
            let connection = try await AMQPConnection.connect(configuration)
            kept.withLock { $0 = connection }
        }
        #expect(simulated.leftovers.count == 1)
    }

    @Test func aUsersOwnTestRunsInVirtualTime() async throws {
        try await withSimulatedBroker(seed: 3) { broker, simulated in
            let queue = Queue(
                "later",
                arguments: [
                    "x-message-ttl": .int32(3_600_000), "x-dead-letter-exchange": "",
                    "x-dead-letter-routing-key": "work",
                ])
            try await withConnection(to: broker.configuration, topology: Topology(queues: [queue, Queue("work")])) {
                let publisher = try await $0.publisher()
                try await publisher.publish(Message(body: [1]), to: "", routingKey: "later")
                #expect(broker.depth(of: "later") == 1)
                try await simulated.sleep(for: .seconds(3601))
                #expect(broker.depth(of: "work") == 1 && broker.dead.map(\.reason) == ["expired"])
            }
        }
    }
}
