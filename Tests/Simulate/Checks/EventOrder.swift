import ActorBus

/// The order in which a connection's events may come, and what they say of it.
///
///     connected ─▶ open ──lost──▶ away ──attempt──▶ away ──attempt failed──▶ away …
///                   ▲               │
///                   └──recovered── back ◀──connected
///
///     from each: closed, the last
struct EventOrder {
    enum Phase: Equatable {
        case unread
        case open
        /// With the number of the attempt that was told of last; nil where its telling was missed.
        case away(attempt: UInt64?)
        case back(attempt: UInt64?)
        case closed
    }

    private(set) var phase = Phase.unread
    private(set) var isBlocked = false
    private(set) var recoveries: UInt64 = 0
    private(set) var skipped: Set<TopologyDifference.Resource> = []
    private var lostConsumers: [String: Int] = [:]

    /// Takes the next event; returns what is wrong with it.
    mutating func take(_ event: ConnectionEvent) -> String? {
        guard isInOrder(event) else { return "the event \(event) came in the phase \(phase)" }
        switch event {
        case .connected:
            phase =
                switch phase {
                case .away(let attempt): .back(attempt: attempt)
                default: .open
                }
        case .lost:
            phase = .away(attempt: phase == .unread ? nil : 0)
            isBlocked = false
        case .attempt(let number, _): phase = .away(attempt: number)
        case .recovered(_, let left):
            phase = .open
            recoveries += 1
            let left = Set(left.map(\.resource))
            defer { skipped = left }
            if !skipped.isSubset(of: left) { return "what is left out is forgotten as the connection is back" }
        case .skipped(let left):
            if !skipped.insert(left.resource).inserted { return "\(left.resource) is left out twice" }
        case .restored(let resource):
            if skipped.remove(resource) == nil { return "\(resource) is declared again, and was not left out" }
        case .consumerLost(let queue, _): lostConsumers[queue, default: 0] += 1
        case .consumerBack(let queue):
            lostConsumers[queue, default: 0] -= 1
            if lostConsumers[queue, default: 0] < 0 { return "a consumer of \(queue) is back, and none was lost" }
        case .blocked: isBlocked = true
        case .unblocked: isBlocked = false
        case .closed: phase = .closed
        default: break
        }
        return nil
    }

    private func isInOrder(_ event: ConnectionEvent) -> Bool {
        switch (phase, event) {
        case (.closed, _): false
        case (_, .closed): true
        case (.unread, .connected), (.unread, .lost): true
        case (.unread, _): false
        case (.open, .lost), (.away, .connected): true
        case (.away(let last), .attempt(let number, _)): last.map { $0 + 1 == number } ?? true
        case (.away(let last), .attemptFailed(let number, _)): last.map { $0 == number } ?? true
        case (.back(let last), .recovered(let attempts, _)): last.map { $0 == attempts } ?? true
        case (.open, .blocked), (.back, .blocked): !isBlocked
        case (.open, .unblocked): isBlocked
        case (.open, .skipped): true
        case (.open, .restored), (.away, .restored), (.open, .consumerLost), (.away, .consumerLost),
            (.open, .consumerBack), (.away, .consumerBack), (.open, .consumerEnded), (.away, .consumerEnded):
            true
        default: false
        }
    }

    /// In what the status says something else; nil where the two agree.
    ///
    /// - Parameter recoveries: how many there had been before the first event.
    func difference(from status: ConnectionStatus, recoveries before: UInt64) -> String? {
        let state: ConnectionStatus.State? =
            switch phase {
            case .unread: nil
            case .open: .open
            case .away, .back: .recovering
            case .closed: .closed
            }
        // While it is being closed the last event is still to come.
        if status.state == .closed { return nil }
        if let state, state != status.state { return "events say \(state), and the status \(status.state)" }
        guard state == .open else { return nil }
        if isBlocked != (status.blocked != nil) {
            return "events say \(isBlocked ? "blocked" : "unblocked"), and the status \(status.blocked ?? "unblocked")"
        }
        if before + recoveries != status.recoveries {
            return "events tell of \(recoveries) recoveries after \(before), and the status of \(status.recoveries)"
        }
        return skipped.count == status.undeclared
            ? nil : "events say that \(skipped.count) parts are left out, and the status \(status.undeclared)"
    }
}
