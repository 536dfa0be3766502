/// The life of a publisher's channel. Pure: events go in, actions come out; what it publishes over the channel, and when a
/// channel has to be renewed, is ``PublisherCore``'s.
///
///     ┌─────────┐ asked, connected,  ┌───────────┐  attached   ┌──────┐  renewal due  ┌──────────┐
///     │ waiting │ pause is over      │ attaching │────────────▶│ open │──────────────▶│ renewing │
///     │         │───────────────────▶│           │             └──────┘               └──────────┘
///     │ for a   │                    │           │ channel lost   │ │                   │  │
///     │connect. │ refused for now    │           │◀───────────────┼─┼───────────────────┘  │
///     │or pause │◀───────────────────│           │                │ │                      │
///     │         │                    └───────────┘                │ │                      │
///     │         │ disconnected             │                      │ │                      │
///     │         │◀─────────────────────────┴──────────────────────┴─┼──────────────────────┘
///     └─────────┘                                                   │
///        from all but attaching: done ──▶ gone ◀── done ────────────┘
///        from all: ended (the connection is closed) ──▶ gone; from attaching: refused at the first time ──▶ gone
struct PublisherMachine {
    enum State: Equatable {
        /// It has no channel, and asks for one when there is a connection, or when a pause is over.
        case waiting(Wait)
        /// A channel is being opened. `isFirst`: its owner waits for it, over an open connection.
        case attaching(isFirst: Bool)
        /// Messages may be published.
        case open
        /// Its channel is being closed, for another to take its place.
        case renewing
        /// Over: nobody publishes with it any more, or nobody can.
        case gone(AMQPError?)
    }

    enum Wait: Equatable { case connection, pause }

    enum Event {
        /// Its owner wants it, and the connection is open.
        case asked
        /// There is a connection, which is being restored.
        case connected
        /// The connection is lost, and the channel with it.
        case disconnected
        /// What an attempt came to; one that was overtaken by another, or by a lost connection, changes nothing.
        case attached(attempt: UInt64)
        case refused(attempt: UInt64, AMQPError)
        /// Its channel was closed, by the broker over a message, or by us to renew it; the connection lives on.
        case channelLost
        /// What is under way is waited for no longer, or there is nothing.
        case renewalDue
        case pauseOver
        /// Nobody can publish with it, and all that it was given has an end.
        case done
        /// The connection is closed for good.
        case ended(AMQPError)
    }

    enum Action: Equatable {
        /// Open a channel in confirm mode, and say what came of it.
        case attach(attempt: UInt64)
        case pause(until: Instant)
        case closeChannel
        /// Tell whoever waits for a message.
        case fail(AMQPError)
        case tell(News)
        case forget
    }

    enum News: Equatable {
        case lost(AMQPError)
        case missed(AMQPError, attempts: UInt64, isLoud: Bool)
        case back
    }

    private(set) var state = State.waiting(.connection)
    /// Why it got no channel when the broker was last asked; nil while it has one, and while that is merely being replaced.
    private(set) var problem: AMQPError?
    private var number: UInt64 = 0
    private var backoff: Backoff
    private var attempts = AttemptLog()

    init(_ policy: RecoveryPolicy) { backoff = Backoff(policy.pauses) }

    var awaitsConnection: Bool { if case .waiting(.connection) = state { true } else { false } }

    func isAttaching(attempt: UInt64) -> Bool {
        if case .attaching = state { attempt == number } else { false }
    }

    mutating func handle(_ event: Event, at moment: Moment) -> [Action] {
        switch (state, event) {
        case (.waiting(.connection), .asked): return attach(isFirst: true)
        case (.waiting(.connection), .connected), (.waiting(.pause), .pauseOver): return attach()
        case (.open, .channelLost):
            backoff.lost(at: moment.now)
            return attach()
        case (.renewing, .channelLost): return attach()

        case (.attaching, .attached(let attempt)) where attempt != number: return []
        case (.attaching, .refused(let attempt, _)) where attempt != number: return []
        case (.attaching, .attached):
            state = .open
            backoff.succeeded(at: moment.now)
            return problem.take() == nil ? [] : [.tell(.back)]
        case (.attaching(let isFirst), .refused(_, let error)):
            guard isFirst, error.outlook != .passing else { return missed(error, moment) }
            return end(error)

        case (.open, .renewalDue):
            state = .renewing
            return [.closeChannel]

        case (.waiting, .disconnected), (.attaching, .disconnected), (.open, .disconnected), (.renewing, .disconnected):
            backoff.lost(at: moment.now)
            state = .waiting(.connection)
            return []

        case (.waiting, .done), (.renewing, .done): return end(nil)
        case (.open, .done): return [.closeChannel] + end(nil)
        // What it gets has to be closed by somebody: it is asked again when it is open.
        case (.attaching, .done): return []

        case (.waiting, .ended(let error)), (.attaching, .ended(let error)), (.open, .ended(let error)),
            (.renewing, .ended(let error)):
            return [.fail(error)] + end(error)

        // A pause of before the connection was lost, an attempt of before that.
        case (.waiting, _), (.attaching, _), (.open, _), (.renewing, _), (.gone, _): return []
        }
    }

    private mutating func attach(isFirst: Bool = false) -> [Action] {
        number += 1
        state = .attaching(isFirst: isFirst)
        return [.attach(attempt: number)]
    }

    private mutating func missed(_ error: AMQPError, _ moment: Moment) -> [Action] {
        state = .waiting(.pause)
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
