import Testing

@testable import ActorBus

/// Every event in every state, and what no order of events may bring about.
@Suite struct PublisherMachineTests {
    private typealias Machine = PublisherMachine

    private static let policy: RecoveryPolicy = {
        var policy = RecoveryPolicy()
        policy.pauses = .seconds(1)...(.seconds(8))
        return policy
    }()
    private static let passing = AMQPError(.closedByBroker, "internal error")
    private static let ours = AMQPError(.systemResource, "no channel is free")
    private static let end = AMQPError(.connectionClosed, "closed")

    private static func at(_ second: Int64) -> Moment {
        Moment(now: Instant(nanoseconds: second * 1_000_000_000), jitter: .max)
    }

    private static let ways: [(state: String, events: [Machine.Event], attempt: UInt64)] = [
        ("waiting", [], 0),
        ("first", [.asked], 1),
        ("attaching", [.connected], 1),
        ("paused", [.connected, .refused(attempt: 1, passing)], 1),
        ("again", [.connected, .refused(attempt: 1, passing), .pauseOver], 2),
        ("open", [.connected, .attached(attempt: 1)], 1),
        ("renewing", [.connected, .attached(attempt: 1), .renewalDue], 1),
        ("gone", [.done], 0),
    ]

    private static func events(_ attempt: UInt64) -> [(name: String, event: Machine.Event)] {
        [
            ("asked", .asked), ("connected", .connected), ("disconnected", .disconnected),
            ("attached", .attached(attempt: attempt)), ("stale attached", .attached(attempt: attempt &+ 7)),
            ("passing", .refused(attempt: attempt, passing)), ("ours", .refused(attempt: attempt, ours)),
            ("stale refusal", .refused(attempt: attempt &+ 7, ours)), ("channelLost", .channelLost),
            ("renewalDue", .renewalDue), ("pauseOver", .pauseOver), ("done", .done), ("ended", .ended(end)),
        ]
    }

    private typealias Outcome = (state: Machine.State, actions: [Machine.Action])

    /// What each event does in each state; whatever is not here changes nothing.
    private static let table: [String: [String: Outcome]] = {
        func attaching(_ attempt: UInt64, isFirst: Bool = false) -> Outcome {
            (.attaching(isFirst: isFirst), [.attach(attempt: attempt)])
        }
        func lost(_ error: AMQPError) -> Outcome {
            (.waiting(.pause), [.tell(.lost(error)), .pause(until: at(101).now)])
        }
        func missed(_ error: AMQPError) -> Outcome {
            (.waiting(.pause), [.tell(.missed(error, attempts: 1, isLoud: true)), .pause(until: at(102).now)])
        }
        let ended: Outcome = (.gone(end), [.fail(end), .forget])
        let disconnected: Outcome = (.waiting(.connection), [])
        let done: Outcome = (.gone(nil), [.forget])
        return [
            "waiting": [
                "asked": attaching(1, isFirst: true), "connected": attaching(1), "disconnected": disconnected,
                "done": done,
                "ended": ended,
            ],
            "first": [
                "attached": (.open, []), "passing": lost(passing), "ours": (.gone(ours), [.forget]),
                "disconnected": disconnected, "ended": ended,
            ],
            "attaching": [
                "attached": (.open, []), "passing": lost(passing), "ours": lost(ours), "disconnected": disconnected,
                "ended": ended,
            ],
            "paused": ["pauseOver": attaching(2), "disconnected": disconnected, "done": done, "ended": ended],
            "again": [
                "attached": (.open, [.tell(.back)]), "passing": missed(passing), "ours": missed(ours),
                "disconnected": disconnected, "ended": ended,
            ],
            "open": [
                "channelLost": attaching(2), "renewalDue": (.renewing, [.closeChannel]), "disconnected": disconnected,
                "done": (.gone(nil), [.closeChannel, .forget]), "ended": ended,
            ],
            "renewing": ["channelLost": attaching(2), "disconnected": disconnected, "done": done, "ended": ended],
            "gone": [:],
        ]
    }()

    @Test(arguments: PublisherMachineTests.ways.indices)
    func everyEventInThisState(index: Int) throws {
        let way = Self.ways[index]
        let expectations = try #require(Self.table[way.state])
        #expect(Set(Self.events(0).map(\.name)).isSuperset(of: expectations.keys))
        for (name, event) in Self.events(way.attempt) {
            var machine = Machine(Self.policy)
            for event in way.events { _ = machine.handle(event, at: Self.at(0)) }
            let before = machine.state
            let actions = machine.handle(event, at: Self.at(100))
            let expected = expectations[name] ?? (before, [])
            #expect(machine.state == expected.state, "\(way.state): \(name)")
            #expect(actions == expected.actions, "\(way.state): \(name)")
        }
    }

    /// Random orders: one channel at a time, the end comes once, and nothing after it.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func noOrderOfEventsBreaksItsPromises(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var machine = Machine(Self.policy)
        var (attempt, forgotten, second, isOver) = (UInt64(0), 0, Int64(0), false)
        for _ in 0..<300 {
            second += Int64.random(in: 0...20, using: &random)
            var events = Self.events(Bool.random(using: &random) ? attempt : attempt &- 1)
            if Int.random(in: 0..<8, using: &random) > 0 {
                events.removeAll { ["done", "ended", "ours"].contains($0.name) }
            }
            let actions = machine.handle(events.randomElement(using: &random)!.event, at: Self.at(second))
            if isOver { #expect(actions == []) }
            for action in actions {
                switch action {
                case .attach(let number):
                    #expect(number == attempt + 1 && machine.isAttaching(attempt: number))
                    attempt = number
                case .forget: forgotten += 1
                case .pause(let until):
                    #expect(machine.state == .waiting(.pause))
                    #expect(until <= Self.at(second).now + Self.policy.pauses.upperBound)
                default: break
                }
            }
            if case .gone = machine.state { isOver = true }
            #expect(isOver == (forgotten == 1))
            #expect(machine.state != .open || machine.problem == nil)
        }
    }
}
