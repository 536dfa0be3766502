import Testing

@testable import ActorBus

@Suite struct UndeclaredPartsTests {
    private static let queue = TopologyPart.Name.queue(WireName("q"))
    private static let exchange = TopologyPart.Name.exchange(WireName("q"))
    private static let passing = AMQPError(.notFound, "its node is away")
    private static let refusal = AMQPError(.accessRefused, "no right")

    private static func policy(endsTheConnection: Bool = false) -> RecoveryPolicy {
        var policy = RecoveryPolicy()
        policy.pauses = .seconds(1)...(.seconds(8))
        policy.refusalPatience = .seconds(60)
        policy.refusalsEndTheConnection = endsTheConnection
        return policy
    }

    private static func at(_ second: Int64) -> Moment {
        Moment(now: Instant(nanoseconds: second * 1_000_000_000), jitter: .max)
    }

    private static let ways: [(state: UndeclaredParts.State?, events: [UndeclaredParts.Event])] = [
        (nil, []), (.waiting, [.leftOut(queue, passing)]), (.asking, [.leftOut(queue, passing), .pauseOver(queue)]),
        (.idle, [.leftOut(queue, passing), .disconnected]),
    ]

    @Test(arguments: UndeclaredPartsTests.ways.indices)
    func everyEventInThisState(index: Int) {
        let way = Self.ways[index]
        func outcome(_ event: UndeclaredParts.Event) -> (UndeclaredParts.State?, [UndeclaredParts.Action]) {
            var parts = UndeclaredParts(Self.policy())
            for event in way.events { _ = parts.handle(event, at: Self.at(0)) }
            #expect(parts.state(of: Self.queue) == way.state)
            let actions = parts.handle(event, at: Self.at(100))
            return (parts.state(of: Self.queue), actions)
        }
        let skipped = UndeclaredParts.Action.tell(.skipped(Self.queue, Self.refusal, isUntold: true, isLoud: true))
        let second = Self.at(102).now

        var (state, actions) = outcome(.leftOut(Self.queue, Self.refusal))
        switch way.state {
        case nil:
            #expect(state == .waiting)
            #expect(actions == [skipped, .pause(Self.queue, until: Self.at(101).now)])
        case .idle: #expect(state == .waiting && actions == [skipped, .pause(Self.queue, until: second)])
        case .waiting, .asking: #expect(state == way.state && actions == [skipped])
        }
        (state, actions) = outcome(.pauseOver(Self.queue))
        #expect(state == (way.state == .waiting ? .asking : way.state))
        #expect(actions == (way.state == .waiting ? [.declare(Self.queue)] : []))
        (state, actions) = outcome(.refused(Self.queue, Self.refusal))
        #expect(state == (way.state == .asking ? .waiting : way.state))
        #expect(actions == (way.state == .asking ? [skipped, .pause(Self.queue, until: second)] : []))
        (state, actions) = outcome(.declared(Self.queue))
        #expect(state == nil && actions == (way.state == nil ? [] : [.tell(.restored(Self.queue, wasTold: false))]))
        (state, actions) = outcome(.disconnected)
        #expect(state == (way.state == nil ? nil : .idle) && actions.isEmpty)
        (state, actions) = outcome(.brokerAway)
        #expect(state == way.state && actions.isEmpty)
        // An exchange of that name is something else.
        (state, actions) = outcome(.declared(Self.exchange))
        #expect(state == way.state && actions.isEmpty)
    }

    /// Nobody hears of the return of what they never heard was missing.
    @Test func observersAreToldOfAReturnWhenTheyKnowOfTheLoss() {
        var parts = UndeclaredParts(Self.policy())
        func isUntold() -> Bool {
            parts.handle(.leftOut(Self.queue, Self.passing), at: Self.at(0)).contains { action in
                if case .tell(.skipped(_, _, isUntold: true, _)) = action { true } else { false }
            }
        }
        #expect(isUntold() && isUntold())
        _ = parts.handle(.told(Self.queue), at: Self.at(1))
        #expect(!isUntold())
        let actions = parts.handle(.declared(Self.queue), at: Self.at(2))
        #expect(actions == [.tell(.restored(Self.queue, wasTold: true))])
        #expect(isUntold())
    }

    /// Only where the policy says so, and only what has been refused all the time.
    @Test(arguments: [false, true])
    func aRefusalThatHasLastedEndsTheConnectionWhereThatIsWanted(ends: Bool) {
        var parts = UndeclaredParts(Self.policy(endsTheConnection: ends))
        func isFinal(_ error: AMQPError, _ second: Int64) -> Bool {
            parts.handle(.leftOut(Self.queue, error), at: Self.at(second)) == [.end(error)]
        }
        #expect(!isFinal(Self.refusal, 0) && !isFinal(Self.refusal, 59))
        #expect(!isFinal(Self.passing, 60) && !isFinal(Self.refusal, 61) && !isFinal(Self.refusal, 120))
        #expect(isFinal(Self.refusal, 121) == ends)
        _ = parts.handle(.brokerAway, at: Self.at(122))
        #expect(!isFinal(Self.refusal, 123) && !isFinal(Self.refusal, 182))
        #expect(isFinal(Self.refusal, 183) == ends)
        _ = parts.handle(.declared(Self.queue), at: Self.at(184))
        #expect(parts.isEmpty && !isFinal(Self.refusal, 300))
    }
}
