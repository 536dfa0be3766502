import ActorBus
import ActorBusTesting
import Testing

@testable import simulate

/// That the search finds what it is there to find: something is done behind its back, or told to it that was not so.
@Suite(.timeLimit(.minutes(5))) struct SearchChecksTests {
    /// A client that publishes to one queue, undisturbed.
    private static var plain: Scenario {
        var scenario = Scenario.quiet(seed: 1)
        scenario.clients = [
            .init(
                publishers: [
                    .init(
                        messages: 10, tasks: 1, window: 5, timeout: .seconds(30), pause: .seconds(1), sendsAhead: false,
                        cancelled: 0, unroutable: 0, isKept: true)
                ])
        ]
        return scenario
    }

    /// The same, and it consumes what it publishes; to handle a delivery takes no longer than this.
    private static func consuming(_ handling: Duration = .zero) -> Scenario {
        var scenario = plain
        scenario.clients[0].consumers = [.init(queue: 0, prefetch: 4, concurrency: 4, handling: handling)]
        return scenario
    }

    private func findings(
        of scenario: Scenario, _ sabotage: @escaping @Sendable (Run) async -> Void
    ) async throws -> [String] {
        try await Run.outcome(of: scenario, sabotage: sabotage).findings
    }

    @Test func findsNothingWhereNothingIsWrong() async throws {
        let report = try await Run.outcome(of: Self.plain)
        #expect(report.findings.isEmpty && report.published == 11)
        #expect(try await Run.outcome(of: Self.consuming()).findings.isEmpty)
    }

    // MARK: Messages

    @Test func findsAConfirmedMessageThatIsLost() async throws {
        let findings = try await findings(of: Self.plain) { $0.broker.deleteQueue(Run.queueName(0)) }
        #expect(findings.contains { $0.contains("was confirmed and is lost") })
    }

    @Test func findsAMessageWithoutAnOutcome() async throws {
        let findings = try await findings(of: Self.plain) { $0.published.begins("forgotten", to: 0) }
        #expect(findings == ["forgotten had no outcome"])
    }

    @Test func findsASecondOutcome() async throws {
        let findings = try await findings(of: Self.plain) { $0.note(.confirmed, of: "c0p0t0m0") }
        #expect(findings.contains { $0.contains("had two outcomes") })
    }

    // MARK: Deliveries

    @Test func findsASettlementOfAnotherDelivery() async throws {
        let findings = try await findings(of: Self.consuming()) { $0.settle(0, .requeue) }
        #expect(findings.contains { $0.contains("was acknowledged, and not by its user") })
    }

    @Test func findsADeliveryThatIsHandedOutTwice() async throws {
        let findings = try await findings(of: Self.consuming()) { run in
            if let fault = run.handedOut.handed(0, of: "c0p0t0m0", to: 0, in: run.broker) { run.find(fault) }
        }
        #expect(findings.contains { $0.contains("handed out twice") })
    }

    @Test func findsADeliveryThatIsHandedOutAfterItWasGivenBack() async throws {
        var scenario = Self.consuming()
        scenario.clients[0].consumers[0].failures = 100
        let findings = try await findings(of: scenario) { run in
            var others = HandedOut()
            let reader = others.begin(client: 0)
            if let fault = others.handed(0, of: "c0p0t0m0", to: reader, in: run.broker) { run.find(fault) }
            run.broker.deleteQueue(Run.queueName(0))
        }
        #expect(findings.contains { $0.contains("after it was given back") })
    }

    @Test func findsASettlementThatIsLost() async throws {
        var scenario = Self.consuming(.seconds(5))
        scenario.clients[0].publishers[0].messages = 1_000
        scenario.clients[0].publishers[0].pause = .milliseconds(200)
        let findings = try await findings(of: scenario) { run in
            do { try await run.simulated.sleep(for: Scenario.calming + .seconds(1)) } catch { run.find("\(error)") }
            run.broker.closeAllConnections()
        }
        #expect(findings.contains { $0.contains("was settled over a channel that nothing broke, in vain") })
        #expect(findings.contains { $0.contains("it was lost, and nothing broke it") })
    }

    // MARK: Clients

    @Test func findsAClientThatDoesNotComeBack() async throws {
        let findings = try await findings(of: Self.plain) { $0.simulated.network.shutDown($0.nodeNames[0]) }
        #expect(findings.contains { $0.contains("is not ready") })
    }

    @Test func findsAConsumerThatTheBrokerDoesNotHave() async throws {
        let findings = try await findings(of: Self.consuming()) { run in
            run.simulated.network.freeze(run.nodeNames[0])
        }
        #expect(findings.contains { $0.contains("are registered") || $0.contains("is not ready") })
    }

    @Test func findsAPublisherWhoseMessagesAreNotAnswered() async throws {
        let findings = try await findings(of: Self.plain) { $0.broker.loseConfirms(true) }
        #expect(findings.contains { $0.contains("cannot publish, and nothing holds it up") })
    }

    @Test func findsATaskThatNeverEnds() async throws {
        let (stream, continuation) = AsyncStream<Int>.makeStream()
        let findings = try await findings(of: Self.plain) { run in
            run.simulated.task { for await _ in stream {} }
        }
        #expect(findings == ["a task was left that never ends"])
        continuation.finish()
    }

    @Test func findsATimerThatNobodyNeeds() async throws {
        let findings = try await findings(of: Self.plain) { run in
            run.simulated.task {
                do { try await run.simulated.sleep(for: .seconds(100_000)) } catch { run.find("\(error)") }
            }
        }
        #expect(findings.contains("1 timers were left over"))
    }

    @Test func findsAConnectionThatNobodyCloses() async throws {
        let kept = Kept()
        let findings = try await findings(of: Self.plain) { run in
            do {
                kept.connection = try await AMQPConnection.connect(
                    run.simulated.configuration(of: run.nodeNames[0]))
            } catch { run.find("\(error)") }
        }
        #expect(findings.contains { $0.contains("the broker has 2 connections, of 1 clients") })
        #expect(findings.contains { $0.contains("was left over") })
        #expect(findings.contains("1 connections were left open"))
    }

    @Test func findsAStorm() async throws {
        let findings = try await findings(of: Self.plain) { run in
            do {
                try await withConnection(to: run.simulated.configuration(of: run.nodeNames[0])) { connection in
                    for _ in 0..<200 { try await connection.declare(Topology(queues: [Queue(Run.queueName(0))])) }
                }
            } catch { run.find("\(error)") }
        }
        #expect(findings.contains { $0.contains("a storm: connection 2 declared work0") })
    }
}

private final class Kept: @unchecked Sendable {
    // Unchecked: touched by the simulation's thread, and let go when that is over.
    var connection: AMQPConnection?
}
