import Testing

@testable import ActorBus
@testable import simulate

/// The laws that the search holds connections to.
struct SearchLawsTests {
    // MARK: Events

    private static let node = ConnectionConfiguration.Endpoint(host: "node")
    private static let error = AMQPError(.connectionLost, "gone")
    private static let part = ConnectionEvent.Skipped(resource: .queue("q"), reason: error)

    @Test func takesTheEventsOfALife() {
        let life: [ConnectionEvent] = [
            .connected(to: Self.node, server: "s"), .blocked("memory"), .unblocked,
            .consumerLost(queue: "q", Self.error),
            .lost(Self.error), .attempt(1, after: .zero), .attemptFailed(1, Self.error), .attempt(2, after: .zero),
            .consumerBack(queue: "q"), .connected(to: Self.node, server: "s"), .blocked("memory"),
            .recovered(attempts: 2, skipped: [Self.part]), .restored(.queue("q")), .closed(nil),
        ]
        var order = EventOrder()
        #expect(life.allSatisfy { order.take($0) == nil } && order.phase == .closed && order.recoveries == 1)
    }

    @Test(
        arguments: [
            [.recovered(attempts: 1, skipped: [])],
            [.lost(error), .lost(error)],
            [.lost(error), .attempt(2, after: .zero)],
            [.lost(error), .attempt(1, after: .zero), .attempt(1, after: .zero)],
            [.lost(error), .attempt(1, after: .zero), .attemptFailed(2, error)],
            [.lost(error), .attempt(1, after: .zero), .recovered(attempts: 1, skipped: [])],
            [
                .lost(error), .attempt(1, after: .zero), .connected(to: node, server: ""),
                .recovered(attempts: 2, skipped: []),
            ],
            [.blocked(""), .blocked("")], [.unblocked], [.restored(.queue("q"))], [.consumerBack(queue: "q")],
            [.attempt(1, after: .zero)], [.connected(to: node, server: "")], [.skipped(part), .skipped(part)],
            [.closed(nil), .closed(nil)], [.closed(nil), .lost(error)],
        ] as [[ConnectionEvent]])
    func findsAnEventOutOfOrder(_ events: [ConnectionEvent]) {
        var order = EventOrder()
        #expect(order.take(.connected(to: Self.node, server: "s")) == nil)
        let faults = events.compactMap { order.take($0) }
        #expect(faults.count == 1, "\(events)")
    }

    @Test func comparesEventsWithTheStatus() {
        var order = EventOrder()
        #expect(order.difference(from: ConnectionStatus(), recoveries: 0) == nil)
        _ = order.take(.connected(to: Self.node, server: "s"))
        #expect(order.difference(from: ConnectionStatus(), recoveries: 0)?.contains("events say open") == true)
    }

    // MARK: Pauses

    private static let pauses = Duration.milliseconds(100)...Duration.seconds(1)

    /// A connection that is lost soon again and again, with pauses of half their ceilings, given in milliseconds.
    private func law(_ ceilings: [Int64], lasting: Duration = .milliseconds(10)) -> AttemptLaw {
        var law = AttemptLaw(hosts: 2, firstPause: .milliseconds(500), pauses: Self.pauses)
        var now = Duration.seconds(1)
        law.looksUp(at: .milliseconds(990))
        law.opens(at: now)
        law.tells(.connected(to: Self.node, server: "s"), at: now)
        for ceiling in ceilings {
            now += lasting
            law.tells(.lost(Self.error), at: now)
            law.drew(1 << 63, at: now)
            let pause = Duration.nanoseconds(ceiling * 500_000)
            law.tells(.attempt(1, after: pause), at: now)
            now += pause
            law.looksUp(at: now)
            law.tells(.connected(to: Self.node, server: "s"), at: now)
        }
        return law
    }

    @Test func pausesDouble() {
        #expect(law([100, 200, 400, 800, 1_000, 1_000]).findings.isEmpty)
        #expect(law([100, 200, 200]).findings.count == 1)
        #expect(law([200]).findings.count == 1)
        #expect(law([100, 200, 400, 800, 1_000, 1_001]).findings.count == 1)
    }

    @Test func pausesBeginAnewBehindAConnectionThatHasLasted() {
        #expect(law([100, 100, 100], lasting: .seconds(3)).findings.isEmpty)
        #expect(law([100, 200], lasting: .seconds(3)).findings.count == 1)
        #expect(law([100, 100], lasting: .seconds(1)).findings.count == 1)
    }

    @Test func nobodyIsAskedBeforeThePauseIsOver() {
        var law = AttemptLaw(hosts: 2, firstPause: .milliseconds(500), pauses: Self.pauses)
        law.opens(at: .seconds(1))
        law.tells(.connected(to: Self.node, server: "s"), at: .seconds(1))
        law.tells(.lost(Self.error), at: .seconds(2))
        law.drew(.max, at: .seconds(2))
        law.tells(.attempt(1, after: .milliseconds(100)), at: .seconds(2))
        law.looksUp(at: .milliseconds(2_050))
        #expect(law.findings.count == 1)
    }

    @Test func anAttemptAsksEachHostOnce() {
        var law = law([100])
        #expect(law.findings.isEmpty)
        for _ in 0..<2 { law.looksUp(at: .seconds(5)) }
        #expect(law.findings == ["attempt 1 asked 3 of 2 hosts"])
    }

    @Test func firstAttemptsAreApart() {
        var law = AttemptLaw(hosts: 2, firstPause: .milliseconds(500), pauses: Self.pauses)
        for moment: Int64 in [0, 10, 520, 530] { law.looksUp(at: .milliseconds(moment)) }
        #expect(law.findings.isEmpty)
        law.looksUp(at: .milliseconds(900))
        #expect(law.findings.count == 1)
    }
}
