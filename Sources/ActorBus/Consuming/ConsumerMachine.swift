/// The life of a consumer: what it waits for, when it is asked for again, and what ends it. Pure: events go in, actions come
/// out; its deliveries, ledger and channel are ``ConsumerCore``'s.
///
///                                ┌───────── disconnected ───────────┐
///                                ▼                                  │
///     ┌──────────┐  asked,  ┌─────────────┐  accepted         ┌────────────┐
///     │  wanted  │ connected│ registering │──────────────────▶│ registered │
///     │          │─────────▶│             │                   └────────────┘
///     │ for a    │ pause is └─────────────┘                         │
///     │connection│ over           │ refused for now                 │ cancelled,
///     │ or pause │◀───────────────┴─────────────────────────────────┘ channel lost
///     └──────────┘
///        from these three: released ──▶ draining ──settled──▶ closing ──channel closed──▶ gone
///                          refused for good ─────────────────▶ closing
///                          ended (the connection is closed) ──────────────────────────────▶ gone
struct ConsumerMachine {
    enum State: Equatable {
        /// The broker has no such consumer, and is asked for it when there is a connection, or when a pause is over.
        case wanted(Wait)
        /// The broker is being asked. `wasCancelled`: whether it has cancelled the consumer; that may come with the
        /// consume-ok.
        case registering(Occasion, wasCancelled: Bool)
        /// The broker has said consume-ok, on the channel that is open.
        case registered
        /// Nobody reads any more, and what was handed out is still to be settled.
        case draining
        /// Its channel is being closed; with what its reader was told.
        case closing(AMQPError?)
        /// Over, with what its reader was told: nil when it left by itself.
        case gone(AMQPError?)
    }

    enum Wait: Equatable { case connection, pause }

    enum Occasion: Equatable {
        /// Its owner has just asked for it, over an open connection: what is refused now is final.
        case first
        /// While a connection is being restored, which it may not hold up.
        case recovery
        /// After a pause. Its queue may be gone, and is declared before it.
        case again
    }

    enum Event {
        /// Its owner wants it, and the connection is open.
        case asked
        /// There is a connection, which is being restored.
        case connected
        /// The connection is lost, and the channel with it.
        case disconnected
        /// Nobody answers at the broker's addresses, so nobody refuses anything.
        case brokerAway
        /// What an attempt came to; one that was overtaken by another, or by a lost connection, changes nothing.
        /// `isDeclaredHere`: whether the connection's topology has the queue.
        case accepted(attempt: UInt64)
        case refused(attempt: UInt64, AMQPError, isDeclaredHere: Bool)
        /// The broker has ended it (basic.cancel); its channel lives on.
        case cancelled(AMQPError)
        /// Its channel was closed, by the broker or by us; the connection lives on.
        case channelLost(AMQPError)
        case pauseOver
        /// Nobody reads any more. `isIdle`: whether nothing is unsettled.
        case released(isIdle: Bool)
        /// Nothing is unsettled any more.
        case settled
        /// Settlements are waited for no longer: what is unsettled goes back with the channel.
        case abandoned
        /// It has no channel any more.
        case channelClosed
        /// The connection is closed for good.
        case ended(AMQPError)
    }

    enum Action: Equatable {
        /// Ask for it, and say what came of it.
        case register(attempt: UInt64, Occasion)
        case pause(until: Instant)
        /// Tell whoever waits for the registration that it is there, or that it will not be since it was left.
        case admit
        case dismiss
        /// Tell its reader, and whoever waits for the registration.
        case fail(AMQPError)
        /// Send basic.cancel, where it has a channel.
        case cancel
        /// Close its channel, when what is settled is written, and say when there is none.
        case closeChannel
        case tell(News)
        case forget
    }

    enum News: Equatable {
        /// The first that went wrong since it was there, or was asked for.
        case lost(AMQPError)
        /// Asked for again in vain. `isLoud`: whether the log's readers are to know.
        case missed(AMQPError, attempts: UInt64, isLoud: Bool)
        case back
        /// It is never asked for again.
        case ended(AMQPError)
    }

    private(set) var state = State.wanted(.connection)
    /// Why it is not there; nil while it is, or has not been asked for.
    private(set) var problem: AMQPError?
    private let policy: RecoveryPolicy
    private var number: UInt64 = 0
    private var backoff: Backoff
    private var refusal = LastingRefusal()
    private var attempts = AttemptLog()

    init(_ policy: RecoveryPolicy) {
        self.policy = policy
        backoff = Backoff(policy.pauses)
    }

    /// Whether somebody reads, or will.
    var isWanted: Bool {
        switch state {
        case .wanted, .registering, .registered: true
        case .draining, .closing, .gone: false
        }
    }

    var isRegistered: Bool { if case .registered = state { true } else { false } }
    var isDraining: Bool { if case .draining = state { true } else { false } }
    var awaitsConnection: Bool { if case .wanted(.connection) = state { true } else { false } }

    func isRegistering(attempt: UInt64) -> Bool {
        if case .registering = state { attempt == number } else { false }
    }

    mutating func handle(_ event: Event, at moment: Moment) -> [Action] {
        switch (state, event) {
        case (.wanted(.connection), .asked): return register(.first)
        case (.wanted(.connection), .connected): return register(.recovery)
        case (.wanted(.pause), .pauseOver): return register(.again)

        case (.registering, .accepted(let attempt)) where attempt != number: return []
        case (.registering, .refused(let attempt, _, _)) where attempt != number: return []
        case (.registering(_, wasCancelled: true), .accepted):
            return missed(
                AMQPError(.closedByBroker, "the broker cancelled the consumer as soon as it was there"), moment)
        case (.registering, .accepted):
            state = .registered
            backoff.succeeded(at: moment.now)
            refusal.forget()
            return problem.take() == nil ? [.admit] : [.admit, .tell(.back)]
        case (.registering(let occasion, _), .refused(_, let error, let isDeclaredHere)):
            return refused(error, occasion, isDeclaredHere: isDeclaredHere, moment)
        case (.registering(let occasion, _), .cancelled):
            state = .registering(occasion, wasCancelled: true)
            return []
        // The attempt fails with its channel, and says so.
        case (.registering, .channelLost): return []

        case (.registered, .cancelled(let error)), (.registered, .channelLost(let error)):
            backoff.lost(at: moment.now)
            return missed(error, moment)

        case (.wanted, .disconnected), (.registering, .disconnected), (.registered, .disconnected):
            backoff.lost(at: moment.now)
            state = .wanted(.connection)
            return []

        case (.wanted, .released(let isIdle)), (.registering, .released(let isIdle)),
            (.registered, .released(let isIdle)):
            state = isIdle ? .closing(nil) : .draining
            return isIdle ? [.cancel, .dismiss, .closeChannel] : [.cancel, .dismiss]
        case (.draining, .settled), (.draining, .abandoned):
            state = .closing(nil)
            return [.closeChannel]
        case (.draining, .channelLost), (.draining, .disconnected): return end(nil)
        case (.closing(let error), .channelLost), (.closing(let error), .disconnected),
            (.closing(let error), .channelClosed):
            return end(error)

        case (.wanted, .ended(let error)), (.registering, .ended(let error)), (.registered, .ended(let error)):
            return [.fail(error)] + end(error)
        case (.draining, .ended): return end(nil)
        case (.closing(let error), .ended): return end(error)

        case (_, .brokerAway):
            refusal.forget()
            return []

        // A pause of before the connection was lost, an attempt of before that, a channel that nobody uses.
        case (.wanted, _), (.registering, _), (.registered, _), (.draining, _), (.closing, _), (.gone, _): return []
        }
    }

    private mutating func register(_ occasion: Occasion) -> [Action] {
        number += 1
        state = .registering(occasion, wasCancelled: false)
        return [.register(attempt: number, occasion)]
    }

    private mutating func refused(
        _ error: AMQPError, _ occasion: Occasion, isDeclaredHere: Bool, _ moment: Moment
    ) -> [Action] {
        // A queue that nobody here declares and that does not exist is refused like a right that is missing.
        let isRefusal = error.outlook == .refused || error.code == .notFound && !isDeclaredHere
        let hasLasted = refusal.note(
            error, isRefusal: isRefusal, patience: policy.refusalPatience, at: moment.now)
        let isFinal = occasion == .first ? isRefusal || error.outlook != .passing : hasLasted
        guard isFinal else { return missed(error, moment) }
        state = .closing(error)
        return [.fail(error), .tell(.ended(error)), .closeChannel]
    }

    private mutating func missed(_ error: AMQPError, _ moment: Moment) -> [Action] {
        state = .wanted(.pause)
        let isFirst = problem == nil
        problem = error
        if isFirst { attempts = AttemptLog() }
        let isLoud = attempts.failed(at: moment.now)
        let news = isFirst ? News.lost(error) : .missed(error, attempts: attempts.failed - 1, isLoud: isLoud)
        return [.tell(news), .pause(until: moment.now + backoff.next(jitter: moment.jitter))]
    }

    private mutating func end(_ error: AMQPError?) -> [Action] {
        state = .gone(error)
        return [.forget]
    }
}
