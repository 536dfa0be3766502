/// The exchanges and queues of a topology that the broker does not take, asked for again one by one while the rest of the
/// connection works. Pure: events go in, actions come out.
///
///     (declared) ──left out──▶ waiting ──pause over──▶ asking ──declared──▶ (declared)
///                                 ▲                       │
///                                 └───── refused ─────────┘
///
/// A connection that is lost ends pauses and answers; the next recovery declares everything anew.
struct UndeclaredParts {
    enum State: Equatable {
        /// For the next connection.
        case idle
        /// Until its pause is over.
        case waiting
        /// For the broker's answer.
        case asking
    }

    enum Event {
        /// A recovery, or a consumer that needs it, has asked for the part in vain.
        case leftOut(TopologyPart.Name, AMQPError)
        case pauseOver(TopologyPart.Name)
        /// It was asked for again in vain.
        case refused(TopologyPart.Name, AMQPError)
        /// It is declared, or nobody wants it any more.
        case declared(TopologyPart.Name)
        /// Observers have been told that it is left out.
        case told(TopologyPart.Name)
        /// The connection is lost.
        case disconnected
        /// Nobody answers at the broker's addresses, so nobody refuses anything.
        case brokerAway
    }

    enum Action: Equatable {
        case pause(TopologyPart.Name, until: Instant)
        case declare(TopologyPart.Name)
        case tell(News)
        /// The part is refused for good, and the policy wants the connection to end.
        case end(AMQPError)
    }

    enum News: Equatable {
        /// `isUntold`: whether observers do not know yet. `isLoud`: whether the log's readers are to know.
        case skipped(TopologyPart.Name, AMQPError, isUntold: Bool, isLoud: Bool)
        /// `wasTold`: whether observers know that it was left out.
        case restored(TopologyPart.Name, wasTold: Bool)
    }

    private struct Part {
        let name: TopologyPart.Name
        var state = State.idle
        var isTold = false
        var reason: AMQPError
        var backoff: Backoff
        var refusal = LastingRefusal()
    }

    private let policy: RecoveryPolicy
    /// In the order in which they were left out.
    private var parts: [Part] = []
    /// One for all, since a node that is away takes many queues with it.
    private var log = AttemptLog()

    init(_ policy: RecoveryPolicy) { self.policy = policy }

    var isEmpty: Bool { parts.isEmpty }
    var names: [TopologyPart.Name] { parts.map { $0.name } }
    var reasons: [(name: TopologyPart.Name, error: AMQPError)] { parts.map { ($0.name, $0.reason) } }

    func state(of name: TopologyPart.Name) -> State? { parts.first { $0.name == name }?.state }

    mutating func handle(_ event: Event, at moment: Moment) -> [Action] {
        switch event {
        case .leftOut(let name, let error):
            let position = parts.firstIndex { $0.name == name }
            if position == nil { parts.append(Part(name: name, reason: error, backoff: Backoff(policy.pauses))) }
            let last = position ?? parts.count - 1
            // One pause at a time: a recovery and a consumer may ask for the same part.
            return failed(last, error, pauses: parts[last].state == .idle, moment)
        case .refused(let name, let error):
            guard let position = parts.firstIndex(where: { $0.name == name }), parts[position].state == .asking else {
                return []
            }
            return failed(position, error, pauses: true, moment)
        case .pauseOver(let name):
            guard let position = parts.firstIndex(where: { $0.name == name }), parts[position].state == .waiting else {
                return []
            }
            parts[position].state = .asking
            return [.declare(name)]
        case .declared(let name):
            guard let position = parts.firstIndex(where: { $0.name == name }) else { return [] }
            let part = parts.remove(at: position)
            if parts.isEmpty { log = AttemptLog() }
            return [.tell(.restored(name, wasTold: part.isTold))]
        case .told(let name):
            if let position = parts.firstIndex(where: { $0.name == name }) { parts[position].isTold = true }
            return []
        case .disconnected:
            for position in parts.indices { parts[position].state = .idle }
            return []
        case .brokerAway:
            for position in parts.indices { parts[position].refusal.forget() }
            return []
        }
    }

    private mutating func failed(
        _ position: Int, _ error: AMQPError, pauses: Bool, _ moment: Moment
    ) -> [Action] {
        parts[position].reason = error
        // A topology that differs, or a right that is missing, ends what it may end only when it has lasted.
        let hasLasted = parts[position].refusal.note(
            error, isRefusal: error.outlook == .refused, patience: policy.refusalPatience, at: moment.now)
        if hasLasted, policy.refusalsEndTheConnection { return [.end(error)] }
        let name = parts[position].name
        let told = Action.tell(
            .skipped(name, error, isUntold: !parts[position].isTold, isLoud: log.failed(at: moment.now)))
        guard pauses else { return [told] }
        parts[position].state = .waiting
        return [told, .pause(name, until: moment.now + parts[position].backoff.next(jitter: moment.jitter))]
    }
}
