/// The life of a connection: which host is asked next, what a failure means, when it is tried again, and what ends it. Pure:
/// events go in, actions come out; sockets, tasks and everybody who waits are ``AMQPConnection``'s.
///
///     new
///      │ begin
///      ▼               ┌────────────── the next address, the next host ──────────────┐
///     preparing ──▶ resolving ──▶ connecting ──▶ logging in ──▶ restoring ──restored──▶ open
///      ▲  │               │             │              │            │                  │
///      │  └───────────────┴─────────────┴──── failed ──┴────────────┘                  │ lost
///      │                                        │ at every host                        │
///      │ pause over                             ▼                                      │
///      └───────────────────────────────────  waiting  ◀────────────────────────────────┘
///
///     from all of these: close asked ──▶ closing ──said, lost──▶ closed
///                        ended, or the first attempts are over ─▶ closed
///
/// Until it was open for the first time an attempt that no later one could mend closes it, and so does the last that is
/// allowed; afterwards only its owner does, or a refusal that has lasted.
struct ConnectionMachine {
    enum State: Equatable {
        case new
        /// The password for an attempt is asked for.
        case preparing(Attempt)
        /// The host's name is looked up.
        case resolving(Attempt)
        /// A socket connects to one of its addresses.
        case connecting(Attempt)
        case loggingIn(Attempt)
        /// The topology is declared, and publishers and consumers get their channels.
        case restoring(Attempt)
        /// Ready for everybody, at this host.
        case open(host: Int)
        /// Every host has failed.
        case waiting(Effort, until: Instant)
        /// Everybody has been told why; the broker has yet to say that it knows.
        case closing(AMQPError)
        /// For good, and why.
        case closed(AMQPError)
    }

    /// What attempts are made for, and how many there were.
    enum Effort: Equatable {
        /// The first connection: whoever asked for it waits, for so many attempts.
        case first(attempt: Int)
        /// The connection was open once, and is tried for as long as it takes.
        case recovery(AttemptLog)
    }

    /// An attempt at every address of every host, until one lets us work.
    struct Attempt: Equatable {
        var effort: Effort
        /// The hosts that are still to be asked; the first is being asked.
        var hosts: ArraySlice<Int>
        /// Which of its addresses is being asked, and how many it has.
        var address = 0
        var addresses = 0
        var failures = FailedAttempt()
        /// That its socket is at its end. The step under way fails with it, and knows better what that means.
        var lost: AMQPError?
    }

    enum Event {
        case begin
        /// What a step of an attempt came to; one of an attempt that is over changes nothing.
        case step(attempt: UInt64, Step)
        /// The socket of the present attempt or of the open connection is at its end.
        case lost(AMQPError)
        case pauseOver
        /// The owner wants it closed.
        case closeAsked
        /// The broker has said that it knows, or took too long.
        case closeSaid
        /// There is no use in going on: a refusal has lasted, or nobody waits for the first connection any more.
        case ended(AMQPError)
    }

    enum Step {
        case prepared
        case resolved(addresses: Int)
        case connected
        case loggedIn
        case restored
        case failed(AMQPError)
    }

    enum Action: Equatable {
        /// A step of the attempt with this number: do it, and say what came of it.
        case prepare(attempt: UInt64)
        case resolve(host: Int, attempt: UInt64)
        case reach(host: Int, address: Int, attempt: UInt64)
        case logIn(attempt: UInt64)
        /// `strictly`: whether everything of the topology has to be there, or what is refused is left out for now.
        case restore(strictly: Bool, attempt: UInt64)
        /// Let the socket go, where there is one; everybody on it is told.
        case drop(AMQPError)
        case pause(until: Instant)
        /// Let go on whoever waits for an open connection.
        case admit
        /// Tell everybody who waits for anything, and whoever comes later, that it is over.
        case refuse(AMQPError)
        /// Send connection.close, where there is a socket, and say when it was answered, or took too long.
        case sayClose
        case tell(News)
    }

    /// What observers and the log are told.
    enum News: Equatable {
        case connected(host: Int)
        case recovered(attempts: UInt64)
        case lost(AMQPError)
        /// The next attempt, and the pause before it.
        case attempt(UInt64, after: Duration)
        /// `of`: how many there will be; nil where there is no end to them. `isLoud`: whether the log's readers are to know.
        case attemptFailed(UInt64, of: Int?, AMQPError, isLoud: Bool)
        /// No broker was there to refuse anything.
        case brokerAway
        /// The last of all news.
        case closed(AMQPError)
    }

    private(set) var state = State.new
    /// What went wrong last; nil while it is open.
    private(set) var problem: AMQPError?
    /// How often it came back.
    private(set) var recoveries: UInt64 = 0
    private let policy: RecoveryPolicy
    /// The hosts as their owner named them.
    private let hosts: [String]
    /// The present attempt, told from those before, whose answers may still come.
    private var number: UInt64 = 0
    private var rotation = HostRotation()
    private var backoff: Backoff

    init(_ policy: RecoveryPolicy, hosts: [String]) {
        self.policy = policy
        self.hosts = hosts
        backoff = Backoff(policy.pauses)
    }

    var isOpen: Bool { if case .open = state { true } else { false } }

    /// Why it is closed for good, or about to be; nil while it is not.
    var end: AMQPError? {
        switch state {
        case .closing(let error), .closed(let error): error
        default: nil
        }
    }

    /// How the present attempt lost what it had reached, before its step could notice; nil while it has not.
    var lost: AMQPError? {
        switch state {
        case .connecting(let attempt), .loggingIn(let attempt), .restoring(let attempt): attempt.lost
        default: nil
        }
    }

    mutating func handle(_ event: Event, at moment: Moment) -> [Action] {
        switch (state, event) {
        case (.new, .begin): return begin(.first(attempt: 1))
        case (.waiting(let effort, _), .pauseOver): return begin(effort)

        case (_, .step(let attempt, _)) where attempt != number: return []
        case (.preparing(let attempt), .step(_, .prepared)):
            return resolve(attempt)
        case (.preparing(let attempt), .step(_, .failed(let error))):
            return failed(attempt.effort, error, moment)
        case (.resolving(var attempt), .step(_, .resolved(let addresses))):
            guard addresses > 0 else { return nextHost(attempt, AMQPError(.brokerUnreachable, "no address"), moment) }
            (attempt.address, attempt.addresses) = (0, addresses)
            return reach(attempt)
        case (.resolving(let attempt), .step(_, .failed(let error))):
            return nextHost(attempt, error, moment)
        case (.connecting(let attempt), .step(_, .connected)) where attempt.lost == nil:
            state = .loggingIn(attempt)
            return [.logIn(attempt: number)]
        case (.loggingIn(let attempt), .step(_, .loggedIn)) where attempt.lost == nil:
            state = .restoring(attempt)
            let isFirst = if case .first = attempt.effort { true } else { false }
            return [.restore(strictly: isFirst, attempt: number)]
        case (.restoring(let attempt), .step(_, .restored)) where attempt.lost == nil:
            return opened(attempt, moment)
        case (.connecting(let attempt), .step(_, let step)), (.loggingIn(let attempt), .step(_, let step)),
            (.restoring(let attempt), .step(_, let step)):
            guard let error = step.failure ?? attempt.lost else { return [] }
            return [.drop(error)] + nextAddress(attempt, error, moment)

        case (.connecting(let attempt), .lost(let error)):
            state = .connecting(attempt.losing(error))
            return [.drop(error)]
        case (.loggingIn(let attempt), .lost(let error)):
            state = .loggingIn(attempt.losing(error))
            return [.drop(error)]
        case (.restoring(let attempt), .lost(let error)):
            state = .restoring(attempt.losing(error))
            return [.drop(error)]
        case (.open, .lost(let error)):
            problem = error
            // One that did not last is not asked first again.
            if !backoff.lost(at: moment.now) { rotation.failed(of: hosts.count) }
            return [.drop(error), .tell(.lost(error))] + pause(.recovery(AttemptLog()), moment)

        case (.closing, .closeAsked), (.closed, _): return []
        case (_, .closeAsked):
            let error = AMQPError(.connectionClosed, "the connection was closed")
            state = .closing(error)
            return [.refuse(error), .sayClose]
        case (.closing(let error), .closeSaid), (.closing(let error), .lost), (.closing(let error), .ended):
            state = .closed(error)
            return [.drop(error), .tell(.closed(error))]
        case (_, .ended(let error)): return close(error)

        // An attempt of before, a pause of before that, a socket that nobody uses.
        case (.new, _), (.preparing, _), (.resolving, _), (.connecting, _), (.loggingIn, _), (.restoring, _),
            (.open, _), (.waiting, _), (.closing, _):
            return []
        }
    }

    private mutating func begin(_ effort: Effort) -> [Action] {
        number += 1
        state = .preparing(Attempt(effort: effort, hosts: rotation.order(of: hosts.count)[...]))
        return [.prepare(attempt: number)]
    }

    private mutating func resolve(_ attempt: Attempt) -> [Action] {
        state = .resolving(attempt)
        return [.resolve(host: attempt.hosts.first ?? 0, attempt: number)]
    }

    private mutating func reach(_ attempt: Attempt) -> [Action] {
        var attempt = attempt
        attempt.lost = nil
        state = .connecting(attempt)
        return [.reach(host: attempt.hosts.first ?? 0, address: attempt.address, attempt: number)]
    }

    private mutating func nextAddress(_ attempt: Attempt, _ error: AMQPError, _ moment: Moment) -> [Action] {
        guard attempt.address + 1 < attempt.addresses else { return nextHost(attempt, error, moment) }
        var attempt = attempt
        attempt.failures.note(error, at: name(attempt.hosts.first))
        attempt.address += 1
        return reach(attempt)
    }

    private mutating func nextHost(_ attempt: Attempt, _ error: AMQPError, _ moment: Moment) -> [Action] {
        var attempt = attempt
        attempt.failures.note(error, at: name(attempt.hosts.first))
        attempt.hosts = attempt.hosts.dropFirst()
        guard attempt.hosts.isEmpty else { return resolve(attempt) }
        rotation.failed(of: hosts.count)
        return failed(attempt.effort, attempt.failures.error, moment)
    }

    /// An attempt has failed as a whole.
    private mutating func failed(_ effort: Effort, _ error: AMQPError, _ moment: Moment) -> [Action] {
        problem = error
        switch effort {
        case .first(let number):
            guard error.outlook == .passing else { return close(error) }
            let attempts = max(1, policy.firstAttempts)
            let news = Action.tell(.attemptFailed(UInt64(number), of: attempts, error, isLoud: true))
            guard number < attempts else { return [news] + close(error.afterAllAttempts(attempts, at: hosts)) }
            return [news] + pause(.first(attempt: number + 1), moment)
        case .recovery(var log):
            // Whatever it is, it is tried again: users, virtual hosts and names may come back. What never will is found by
            // asking for it over a connection that is open.
            let isLoud = log.failed(at: moment.now)
            let away: [Action] = error.replyCode == nil ? [.tell(.brokerAway)] : []
            return away + [.tell(.attemptFailed(log.failed, of: nil, error, isLoud: isLoud))]
                + pause(.recovery(log), moment)
        }
    }

    private mutating func pause(_ effort: Effort, _ moment: Moment) -> [Action] {
        let (number, pause): (UInt64, Duration) =
            switch effort {
            case .first(let number): (UInt64(number), policy.firstPause)
            case .recovery(let log): (log.failed + 1, backoff.next(jitter: moment.jitter))
            }
        let until = moment.now + pause
        state = .waiting(effort, until: until)
        return [.tell(.attempt(number, after: pause)), .pause(until: until)]
    }

    private mutating func opened(_ attempt: Attempt, _ moment: Moment) -> [Action] {
        let host = attempt.hosts.first ?? 0
        rotation.succeeded(at: host)
        backoff.succeeded(at: moment.now)
        state = .open(host: host)
        problem = nil
        guard case .recovery(let log) = attempt.effort else { return [.tell(.connected(host: host)), .admit] }
        recoveries += 1
        return [.tell(.connected(host: host)), .tell(.recovered(attempts: log.failed + 1)), .admit]
    }

    private mutating func close(_ error: AMQPError) -> [Action] {
        state = .closed(error)
        problem = error
        return [.refuse(error), .drop(error), .tell(.closed(error))]
    }

    private func name(_ host: Int?) -> String {
        guard let host, hosts.indices.contains(host) else { return "nowhere" }
        return hosts[host]
    }
}

extension ConnectionMachine.Attempt {
    fileprivate func losing(_ error: AMQPError) -> Self {
        var attempt = self
        attempt.lost = error
        return attempt
    }
}

extension ConnectionMachine.Step {
    fileprivate var failure: AMQPError? { if case .failed(let error) = self { error } else { nil } }
}
