import Testing

@testable import ActorBus

/// Every event in every state, and what no order of events may bring about.
@Suite struct ConsumerMachineTests {
    private typealias Machine = ConsumerMachine

    private static let policy: RecoveryPolicy = {
        var policy = RecoveryPolicy()
        policy.pauses = .seconds(1)...(.seconds(8))
        policy.refusalPatience = .seconds(60)
        return policy
    }()
    private static let passing = AMQPError(.timedOut, "no answer")
    private static let refusal = AMQPError(.accessRefused, "no right")
    private static let missing = AMQPError(.notFound, "no queue")
    private static let ours = AMQPError(.systemResource, "no channel is free")
    private static let lost = AMQPError(.notFound, "cancelled")
    private static let end = AMQPError(.connectionClosed, "closed")
    private static let early = AMQPError(.closedByBroker, "the broker cancelled the consumer as soon as it was there")

    private static func at(_ second: Int64) -> Moment {
        Moment(now: Instant(nanoseconds: second * 1_000_000_000), jitter: .max)
    }

    /// How each state is reached, at second 0, and the attempt that is then under way or was the last.
    private static let ways: [(state: String, events: [Machine.Event], attempt: UInt64)] = [
        ("wanted", [], 0),
        ("first", [.asked], 1),
        ("recovery", [.connected], 1),
        ("cut", [.asked, .cancelled(lost)], 1),
        ("paused", [.asked, .refused(attempt: 1, passing, isDeclaredHere: true)], 1),
        ("again", [.asked, .refused(attempt: 1, passing, isDeclaredHere: true), .pauseOver], 2),
        ("away", [.asked, .accepted(attempt: 1), .disconnected], 1),
        ("registered", [.asked, .accepted(attempt: 1)], 1),
        ("draining", [.asked, .accepted(attempt: 1), .released(isIdle: false)], 1),
        ("closing", [.asked, .accepted(attempt: 1), .released(isIdle: true)], 1),
        ("refused", [.asked, .refused(attempt: 1, refusal, isDeclaredHere: true)], 1),
        ("gone", [.asked, .released(isIdle: true), .channelClosed], 1),
    ]

    private static func events(_ attempt: UInt64) -> [(name: String, event: Machine.Event)] {
        [
            ("asked", .asked), ("connected", .connected), ("disconnected", .disconnected), ("brokerAway", .brokerAway),
            ("accepted", .accepted(attempt: attempt)), ("stale accepted", .accepted(attempt: attempt &+ 7)),
            ("passing", .refused(attempt: attempt, passing, isDeclaredHere: false)),
            ("refusal", .refused(attempt: attempt, refusal, isDeclaredHere: true)),
            ("missing", .refused(attempt: attempt, missing, isDeclaredHere: false)),
            ("missing here", .refused(attempt: attempt, missing, isDeclaredHere: true)),
            ("ours", .refused(attempt: attempt, ours, isDeclaredHere: true)),
            ("stale refusal", .refused(attempt: attempt &+ 7, refusal, isDeclaredHere: true)),
            ("cancelled", .cancelled(lost)), ("channelLost", .channelLost(lost)), ("pauseOver", .pauseOver),
            ("released idle", .released(isIdle: true)), ("released busy", .released(isIdle: false)),
            ("settled", .settled), ("abandoned", .abandoned), ("channelClosed", .channelClosed), ("ended", .ended(end)),
        ]
    }

    private typealias Outcome = (state: Machine.State, actions: [Machine.Action])

    /// What each event does in each state; whatever is not here changes nothing.
    private static let table: [String: [String: Outcome]] = {
        func second(_ number: Int64) -> Instant { Instant(nanoseconds: number * 1_000_000_000) }
        func registering(_ occasion: Machine.Occasion, _ attempt: UInt64) -> Outcome {
            (.registering(occasion, wasCancelled: false), [.register(attempt: attempt, occasion)])
        }
        func lost(_ error: AMQPError, until: Int64 = 101) -> Outcome {
            (.wanted(.pause), [.tell(.lost(error)), .pause(until: second(until))])
        }
        func missed(_ error: AMQPError) -> Outcome {
            // The pauses of before are not forgotten; a minute has passed since the first was told.
            (.wanted(.pause), [.tell(.missed(error, attempts: 1, isLoud: true)), .pause(until: second(102))])
        }
        func refused(_ error: AMQPError) -> Outcome {
            (.closing(error), [.fail(error), .tell(.ended(error)), .closeChannel])
        }
        let leaving: [String: Outcome] = [
            "released idle": (.closing(nil), [.cancel, .dismiss, .closeChannel]),
            "released busy": (.draining, [.cancel, .dismiss]), "ended": (.gone(end), [.fail(end), .forget]),
        ]
        let over: Outcome = (.gone(nil), [.forget])
        let isLost: [String: Outcome] = ["disconnected": (.wanted(.connection), [])]
        func with(_ outcomes: [String: Outcome]...) -> [String: Outcome] {
            outcomes.reduce(into: [:]) { $0.merge($1) { _, new in new } }
        }
        let registered: Outcome = (.registered, [.admit])
        let asking: [String: Outcome] = ["asked": registering(.first, 1), "connected": registering(.recovery, 1)]
        let patient: [String: Outcome] = [
            "passing": lost(passing), "refusal": lost(refusal), "missing": lost(missing), "missing here": lost(missing),
            "ours": lost(ours),
        ]
        return [
            "wanted": with(leaving, isLost, asking),
            "away": with(
                leaving, isLost, ["asked": registering(.first, 2), "connected": registering(.recovery, 2)]),
            "first": with(
                leaving, isLost, patient,
                [
                    "accepted": registered, "refusal": refused(refusal), "missing": refused(missing),
                    "ours": refused(ours),
                    "cancelled": (.registering(.first, wasCancelled: true), []),
                ]),
            "recovery": with(
                leaving, isLost, patient,
                ["accepted": registered, "cancelled": (.registering(.recovery, wasCancelled: true), [])]),
            "cut": with(
                leaving, isLost, patient,
                [
                    "accepted": lost(early), "refusal": refused(refusal), "missing": refused(missing),
                    "ours": refused(ours),
                    "cancelled": (.registering(.first, wasCancelled: true), []),
                ]),
            "paused": with(leaving, isLost, ["pauseOver": registering(.again, 2)]),
            "again": with(
                leaving, isLost,
                [
                    "accepted": (.registered, [.admit, .tell(.back)]), "passing": missed(passing),
                    "refusal": missed(refusal), "missing": missed(missing), "missing here": missed(missing),
                    "ours": missed(ours), "cancelled": (.registering(.again, wasCancelled: true), []),
                ]),
            // It has lasted for 100 seconds.
            "registered": with(leaving, isLost, ["cancelled": lost(Self.lost), "channelLost": lost(Self.lost)]),
            "draining": [
                "settled": (.closing(nil), [.closeChannel]), "abandoned": (.closing(nil), [.closeChannel]),
                "channelLost": over, "disconnected": over, "ended": over,
            ],
            "closing": ["channelClosed": over, "channelLost": over, "disconnected": over, "ended": over],
            "refused": [
                "channelClosed": (.gone(refusal), [.forget]), "channelLost": (.gone(refusal), [.forget]),
                "disconnected": (.gone(refusal), [.forget]), "ended": (.gone(refusal), [.forget]),
            ],
            "gone": [:],
        ]
    }()

    @Test(arguments: ConsumerMachineTests.ways.indices)
    func everyEventInThisState(index: Int) throws {
        let way = Self.ways[index]
        let expectations = try #require(Self.table[way.state])
        let names = Set(Self.events(0).map(\.name))
        #expect(names.isSuperset(of: expectations.keys))
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

    /// What is refused later has to be refused for as long as the policy says; an absent broker refuses nothing.
    @Test func aRefusalIsFinalOnlyWhenItHasLasted() {
        for error in [Self.refusal, Self.missing] {
            var machine = Machine(Self.policy)
            _ = machine.handle(.asked, at: Self.at(0))
            _ = machine.handle(.accepted(attempt: 1), at: Self.at(0))
            _ = machine.handle(.cancelled(Self.lost), at: Self.at(1))
            func isFinal(_ second: Int64) -> Bool {
                _ = machine.handle(.pauseOver, at: Self.at(second))
                let attempt = UInt64(attempts + 1)
                attempts += 1
                let actions = machine.handle(
                    .refused(attempt: attempt, error, isDeclaredHere: false), at: Self.at(second))
                return actions.contains(.fail(error))
            }
            var attempts = 1
            #expect(!isFinal(2) && !isFinal(61))
            _ = machine.handle(.brokerAway, at: Self.at(62))
            #expect(!isFinal(62) && !isFinal(121))
            #expect(isFinal(122))
        }
    }

    /// Random orders: the end comes once, nothing after it, and an attempt is under way exactly while it says so.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func noOrderOfEventsBreaksItsPromises(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var machine = Machine(Self.policy)
        var (attempt, forgotten, second, isOver) = (UInt64(0), 0, Int64(0), false)
        for _ in 0..<300 {
            second += Int64.random(in: 0...20, using: &random)
            let number = Bool.random(using: &random) ? attempt : attempt &- 1
            var events = Self.events(number)
            if Int.random(in: 0..<8, using: &random) > 0 {
                let ends = ["released idle", "released busy", "ended", "refusal", "missing", "ours"]
                events.removeAll { ends.contains($0.name) }
            }
            let wasRegistered = machine.isRegistered
            let actions = machine.handle(events.randomElement(using: &random)!.event, at: Self.at(second))
            if isOver { #expect(actions == []) }
            for action in actions {
                switch action {
                case .register(let number, _):
                    #expect(number == attempt + 1 && machine.isRegistering(attempt: number))
                    attempt = number
                case .forget: forgotten += 1
                case .pause(let until):
                    #expect(machine.state == .wanted(.pause))
                    #expect(until <= Self.at(second).now + Self.policy.pauses.upperBound)
                case .admit: #expect(machine.isRegistered && !wasRegistered)
                default: break
                }
            }
            if case .gone = machine.state { isOver = true }
            #expect(isOver == (forgotten == 1))
            #expect(!machine.isRegistered || machine.problem == nil)
        }
    }
}
