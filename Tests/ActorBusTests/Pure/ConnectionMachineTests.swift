import Testing

@testable import ActorBus

/// Every event in every state, and what no order of events may bring about.
@Suite struct ConnectionMachineTests {
    private typealias Machine = ConnectionMachine

    private static let policy: RecoveryPolicy = {
        var policy = RecoveryPolicy()
        (policy.firstAttempts, policy.firstPause) = (3, .seconds(5))
        policy.pauses = .seconds(1)...(.seconds(8))
        return policy
    }()
    private static let hosts = ["a:5672", "b:5672"]
    private static let passing = AMQPError(.connectionLost, "a:5672: refused")
    private static let final = AMQPError(.loginRefused, "who is that", replyCode: 403)
    private static let lost = AMQPError(.connectionLost, "reset")
    private static let end = AMQPError(.accessRefused, "no right")
    private static let closed = AMQPError(.connectionClosed, "the connection was closed")

    private static func at(_ second: Int64) -> Moment {
        Moment(now: Instant(nanoseconds: second * 1_000_000_000), jitter: .max)
    }

    private static func steps(_ attempt: UInt64, _ steps: [Machine.Step]) -> [Machine.Event] {
        steps.map { .step(attempt: attempt, $0) }
    }

    private static let ready: [Machine.Step] = [.prepared, .resolved(addresses: 2), .connected, .loggedIn, .restored]
    private static let open: [Machine.Event] = [.begin] + steps(1, ready)
    private static let recovering: [Machine.Event] = open + [.lost(lost), .pauseOver]

    /// How each state is reached, at second 0, and the attempt that is then under way or was the last.
    private static let ways: [(state: String, events: [Machine.Event], attempt: UInt64)] = [
        ("new", [], 0),
        ("preparing", [.begin], 1),
        ("resolving", [.begin] + steps(1, Array(ready.prefix(1))), 1),
        ("connecting", [.begin] + steps(1, Array(ready.prefix(2))), 1),
        ("logging in", [.begin] + steps(1, Array(ready.prefix(3))), 1),
        ("restoring", [.begin] + steps(1, Array(ready.prefix(4))), 1),
        ("restoring, lost", [.begin] + steps(1, Array(ready.prefix(4))) + [.lost(lost)], 1),
        ("open", open, 1),
        ("waiting", [.begin] + steps(1, [.failed(passing)]), 1),
        ("preparing again", recovering, 2),
        ("resolving again", recovering + steps(2, Array(ready.prefix(1))), 2),
        ("connecting again", recovering + steps(2, Array(ready.prefix(2))), 2),
        ("logging in again", recovering + steps(2, Array(ready.prefix(3))), 2),
        ("restoring again", recovering + steps(2, Array(ready.prefix(4))), 2),
        ("waiting again", open + [.lost(lost)], 1),
        ("closing", open + [.closeAsked], 1),
        ("closed", open + [.closeAsked, .closeSaid], 1),
    ]

    private static func events(_ attempt: UInt64) -> [(name: String, event: Machine.Event)] {
        [
            ("begin", .begin), ("prepared", .step(attempt: attempt, .prepared)),
            ("resolved", .step(attempt: attempt, .resolved(addresses: 2))),
            ("no address", .step(attempt: attempt, .resolved(addresses: 0))),
            ("connected", .step(attempt: attempt, .connected)), ("loggedIn", .step(attempt: attempt, .loggedIn)),
            ("restored", .step(attempt: attempt, .restored)), ("passing", .step(attempt: attempt, .failed(passing))),
            ("final", .step(attempt: attempt, .failed(final))),
            ("stale prepared", .step(attempt: attempt &+ 7, .prepared)),
            ("stale restored", .step(attempt: attempt &+ 7, .restored)),
            ("stale final", .step(attempt: attempt &+ 7, .failed(final))), ("lost", .lost(lost)),
            ("pauseOver", .pauseOver), ("closeAsked", .closeAsked), ("closeSaid", .closeSaid), ("ended", .ended(end)),
        ]
    }

    private typealias Outcome = (state: Machine.State, actions: [Machine.Action])

    /// What each event does in each state; whatever is not here changes nothing.
    private static let table: [String: [String: Outcome]] = {
        let ending: [String: Outcome] = [
            "closeAsked": (.closing(closed), [.refuse(closed), .sayClose]),
            "ended": (.closed(end), [.refuse(end), .drop(end), .tell(.closed(end))]),
        ]
        func with(_ outcomes: [String: Outcome]...) -> [String: Outcome] {
            outcomes.reduce(into: [:]) { $0.merge($1) { _, new in new } }
        }
        let over: Outcome = (.closed(closed), [.drop(closed), .tell(.closed(closed))])
        var table: [String: [String: Outcome]] = [
            "new": with(
                ending,
                [
                    "begin": (.preparing(.init(effort: .first(attempt: 1), hosts: [0, 1])), [.prepare(attempt: 1)])
                ]),
            "open": with(
                ending,
                [
                    // It has lasted, so the same host is asked first.
                    "lost": (
                        .waiting(.recovery(AttemptLog()), until: at(101).now),
                        [
                            .drop(lost), .tell(.lost(lost)), .tell(.attempt(1, after: .seconds(1))),
                            .pause(until: at(101).now),
                        ]
                    )
                ]),
            "waiting": with(
                ending,
                [
                    "pauseOver": (
                        .preparing(.init(effort: .first(attempt: 2), hosts: [0, 1])), [.prepare(attempt: 2)]
                    )
                ]),
            "waiting again": with(
                ending,
                [
                    "pauseOver": (
                        // The one that did not last is asked last.
                        .preparing(.init(effort: .recovery(AttemptLog()), hosts: [1, 0])), [.prepare(attempt: 2)]
                    )
                ]),
            "closing": ["closeSaid": over, "lost": over, "ended": over],
            "closed": [:],
        ]
        for (suffix, effort, hosts, number) in [
            ("", .first(attempt: 1), [0, 1], 1), (" again", .recovery(AttemptLog()), [1, 0], 2),
        ] as [(String, Machine.Effort, [Int], UInt64)] {
            let isFirst = suffix.isEmpty
            var attempt = Machine.Attempt(effort: effort, hosts: hosts[...])
            func failed(_ error: AMQPError) -> Outcome {
                if isFirst, error == final {
                    return (.closed(error), [.refuse(error), .drop(error), .tell(.closed(error))])
                }
                let pause = Duration.seconds(isFirst ? 5 : 2)
                let until = at(100).now + pause
                var log = AttemptLog()
                _ = log.failed(at: at(100).now)
                let away: [Machine.Action] = isFirst || error.replyCode != nil ? [] : [.tell(.brokerAway)]
                return (
                    .waiting(isFirst ? .first(attempt: 2) : .recovery(log), until: until),
                    away + [
                        .tell(.attemptFailed(1, of: isFirst ? 3 : nil, error, isLoud: true)),
                        .tell(.attempt(2, after: pause)), .pause(until: until),
                    ]
                )
            }
            table["preparing" + suffix] = with(
                ending,
                [
                    "prepared": (.resolving(attempt), [.resolve(host: hosts[0], attempt: number)]),
                    "passing": failed(passing), "final": failed(final),
                ])
            func nextHost(_ error: AMQPError) -> Outcome {
                var next = attempt
                next.failures.note(error, at: Self.hosts[hosts[0]])
                next.hosts = hosts[1...]
                return (.resolving(next), [.resolve(host: hosts[1], attempt: number)])
            }
            let resolving = attempt
            attempt.addresses = 2
            table["resolving" + suffix] = with(
                ending,
                [
                    "resolved": (.connecting(attempt), [.reach(host: hosts[0], address: 0, attempt: number)]),
                    "no address": {
                        attempt = resolving
                        defer { attempt.addresses = 2 }
                        return nextHost(AMQPError(.brokerUnreachable, "no address"))
                    }(),
                    "passing": {
                        attempt = resolving
                        defer { attempt.addresses = 2 }
                        return nextHost(passing)
                    }(),
                    "final": {
                        attempt = resolving
                        defer { attempt.addresses = 2 }
                        return nextHost(final)
                    }(),
                ])
            func nextAddress(_ error: AMQPError) -> Outcome {
                var next = attempt
                next.failures.note(error, at: Self.hosts[hosts[0]])
                next.address = 1
                return (.connecting(next), [.drop(error), .reach(host: hosts[0], address: 1, attempt: number)])
            }
            var isLost = attempt
            isLost.lost = lost
            let failing: [String: Outcome] = ["passing": nextAddress(passing), "final": nextAddress(final)]
            table["connecting" + suffix] = with(
                ending, failing,
                [
                    "connected": (.loggingIn(attempt), [.logIn(attempt: number)]),
                    "lost": (.connecting(isLost), [.drop(lost)]),
                ])
            table["logging in" + suffix] = with(
                ending, failing,
                [
                    "loggedIn": (.restoring(attempt), [.restore(strictly: isFirst, attempt: number)]),
                    "lost": (.loggingIn(isLost), [.drop(lost)]),
                ])
            let news: [Machine.Action] = isFirst ? [] : [.tell(.recovered(attempts: 1))]
            table["restoring" + suffix] = with(
                ending, failing,
                [
                    "restored": (.open(host: hosts[0]), [.tell(.connected(host: hosts[0]))] + news + [.admit]),
                    "lost": (.restoring(isLost), [.drop(lost)]),
                ])
            // A step that is done on a socket that is gone is not done.
            let afterLoss = nextAddress(lost)
            table["restoring, lost"] =
                table["restoring, lost"]
                ?? with(
                    ending, failing,
                    [
                        "restored": afterLoss, "prepared": afterLoss, "resolved": afterLoss, "no address": afterLoss,
                        "connected": afterLoss, "loggedIn": afterLoss, "lost": (.restoring(isLost), [.drop(lost)]),
                    ])
        }
        return table
    }()

    @Test(arguments: ConnectionMachineTests.ways.indices)
    func everyEventInThisState(index: Int) throws {
        let way = Self.ways[index]
        let expectations = try #require(Self.table[way.state])
        #expect(Set(Self.events(0).map(\.name)).isSuperset(of: expectations.keys))
        for (name, event) in Self.events(way.attempt) {
            var machine = Machine(Self.policy, hosts: Self.hosts)
            for event in way.events { _ = machine.handle(event, at: Self.at(0)) }
            let before = machine.state
            let actions = machine.handle(event, at: Self.at(100))
            let expected = expectations[name] ?? (before, [])
            #expect(machine.state == expected.state, "\(way.state): \(name)")
            #expect(actions == expected.actions, "\(way.state): \(name)")
        }
    }

    /// Every address of every host, in order, and then the error that tells of all.
    @Test func everyAddressOfEveryHostIsAskedBeforeAnAttemptFails() {
        var machine = Machine(Self.policy, hosts: Self.hosts)
        _ = machine.handle(.begin, at: Self.at(0))
        var actions = machine.handle(.step(attempt: 1, .prepared), at: Self.at(0))
        var asked: [[Int]] = []
        var failures = 0
        while true {
            if case .resolve = actions.last {
                actions = machine.handle(.step(attempt: 1, .resolved(addresses: 3)), at: Self.at(0))
            }
            guard case .reach(let host, let address, attempt: 1) = actions.last else { break }
            asked.append([host, address])
            failures += 1
            let error = AMQPError(.connectionLost, "failure \(failures)")
            actions = machine.handle(.step(attempt: 1, .failed(error)), at: Self.at(0))
        }
        #expect(asked == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]])
        let words = machine.problem?.message ?? ""
        #expect((1...6).allSatisfy { words.contains("failure \($0)") })
    }

    @Test func theFirstAttemptsHaveAnEndWithAPauseBetweenThem() {
        var machine = Machine(Self.policy, hosts: Self.hosts)
        var actions = machine.handle(.begin, at: Self.at(0))
        for attempt in 1...3 as ClosedRange<UInt64> {
            #expect(actions == [.prepare(attempt: attempt)])
            actions = machine.handle(.step(attempt: attempt, .failed(Self.passing)), at: Self.at(0))
            guard attempt < 3 else { break }
            #expect(actions.last == .pause(until: Self.at(5).now))
            actions = machine.handle(.pauseOver, at: Self.at(5))
        }
        guard case .closed(let error) = machine.state else {
            Issue.record("not closed")
            return
        }
        #expect(error.code == .brokerUnreachable && error.message.contains("in 3 attempts"))
        #expect(actions.suffix(3) == [.refuse(error), .drop(error), .tell(.closed(error))])
    }

    /// Random orders: it is closed once and says nothing more; attempts are counted; and pauses double, whatever is lost when,
    /// until a connection has lasted.
    @Test(arguments: 0..<300 as Range<UInt64>)
    func noOrderOfEventsBreaksItsPromises(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var machine = Machine(Self.policy, hosts: Self.hosts)
        var (attempt, second, ends) = (UInt64(0), Int64(0), 0)
        var ceiling = Int64(1)
        var openSince: Int64?
        var hasOpened = false
        for _ in 0..<400 {
            second += [0, 1, 3, 30].randomElement(using: &random)!
            var events = Self.events(Int.random(in: 0..<5, using: &random) > 0 ? attempt : attempt &- 1)
            // Mostly what goes on, seldom what ends it.
            if Int.random(in: 0..<30, using: &random) > 0 {
                events.removeAll { ["closeAsked", "ended", "final"].contains($0.name) }
            }
            let wasClosed = ends > 0
            let actions = machine.handle(events.randomElement(using: &random)!.event, at: Self.at(second))
            if wasClosed { #expect(actions == []) }
            for action in actions {
                switch action {
                case .prepare(let number):
                    #expect(number == attempt + 1)
                    attempt = number
                case .reach(_, _, let number), .resolve(_, let number), .logIn(let number), .restore(_, let number):
                    #expect(number == attempt)
                case .admit:
                    #expect(machine.isOpen && openSince == nil)
                    (openSince, hasOpened) = (second, true)
                case .tell(.lost):
                    if let since = openSince.take(), second - since >= 16 { ceiling = 1 }
                case .tell(.attempt(_, let pause)):
                    #expect(pause == (hasOpened ? .seconds(ceiling) : Self.policy.firstPause))
                    if hasOpened { ceiling = min(8, ceiling * 2) }
                case .tell(.closed): ends += 1
                default: break
                }
            }
            if let since = openSince, !machine.isOpen {
                // Only an owner or a refusal ends an open connection in one step.
                #expect(machine.end != nil && since <= second)
                openSince = nil
            }
        }
        #expect(ends <= 1)
    }

    /// A step that begins when the connection is gone already can say why.
    @Test(arguments: 2...4) func theReasonOfALossIsKept(steps count: Int) {
        var machine = Machine(Self.policy, hosts: Self.hosts)
        for event in [.begin] + Self.steps(1, Array(Self.ready.prefix(count))) {
            _ = machine.handle(event, at: Self.at(0))
            #expect(machine.lost == nil)
        }
        _ = machine.handle(.lost(Self.lost), at: Self.at(0))
        #expect(machine.lost == Self.lost)
    }
}
