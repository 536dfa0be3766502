/// What tasks ask of the connection's thread without waiting for a turn of the actor: publishes and settlements, which
/// come by the thousand. The thread takes all there are at once, and is woken as seldom as can be.
///
/// Waking the thread costs more than everything else that is done for a settlement. So while deliveries have just been
/// handed out, and more settlements are likely to follow, they wait for one another: until half of what is unsettled is
/// there, until a reader has nothing more to read, or until the thread looks by itself, ``linger`` after it handed them out.
final class Inbox: Sendable {
    enum Command: Sendable {
        case publish(PublishRequest)
        /// The task that waits for this publish was cancelled.
        case cancelPublish(PublishRequest)
        case settle(ConsumerChannel, deliveryTag: UInt64, Settlement)
        /// Nobody reads this consumer's deliveries any more; these were not handed out.
        case release(consumer: UInt32, unread: [Delivery])
    }

    fileprivate struct State {
        var commands: [Command] = []
        /// How many settlements wait for one another; 0 for none.
        var patience = 0
        /// Until when they do; the thread turns then by itself.
        var lingersUntil = Instant(nanoseconds: .min)
        /// Whether the thread was told to look.
        var isDue = false
    }

    /// How long a settlement may wait for others, in nanoseconds: one millisecond.
    private static let linger: Int64 = 1_000_000

    private let state = Lock(State())
    private let executor: ThreadExecutor

    init(waking executor: ThreadExecutor) { self.executor = executor }

    /// Asks for something to be done now.
    func put(_ command: Command) {
        let mustWake = state.withLock { state in
            state.commands.append(command)
            return state.becomeDue()
        }
        if mustWake { executor.wake() }
    }

    /// Asks for a settlement to be sent, now or with others.
    func put(settlement: Settlement, of channel: ConsumerChannel, deliveryTag: UInt64) {
        let mustWake = state.withLock { state in
            state.commands.append(.settle(channel, deliveryTag: deliveryTag, settlement))
            return state.commands.count >= state.patience && state.becomeDue()
        }
        if mustWake { executor.wake() }
    }

    /// A reader has nothing more to read: what waits for others goes now.
    func hurry() {
        let mustWake = state.withLock { state in !state.commands.isEmpty && state.becomeDue() }
        if mustWake { executor.wake() }
    }

    // MARK: The thread's side

    /// Deliveries were handed out, of which so many are unsettled.
    func handedOut(unsettled: Int, now: Instant) {
        state.withLock { state in
            state.patience = unsettled / 2
            // What waits already waits no longer for that.
            if state.commands.isEmpty { state.lingersUntil = now.after(Self.linger) }
        }
    }

    /// Exchanges what is due for an empty array, whose storage is used again. Returns when the thread has to look again
    /// by itself; nil when it will be woken.
    func takeDue(into taken: inout [Command], now: Instant) -> Instant? {
        taken.removeAll(keepingCapacity: true)
        return state.withLock { state in
            let lingers = now < state.lingersUntil && state.patience > 0
            if !lingers { state.patience = 0 }
            if lingers && !state.isDue { return state.lingersUntil }
            swap(&state.commands, &taken)
            state.isDue = false
            return lingers ? state.lingersUntil : nil
        }
    }

    /// Takes everything, due or not.
    func takeAll(into taken: inout [Command]) {
        taken.removeAll(keepingCapacity: true)
        state.withLock { state in
            swap(&state.commands, &taken)
            state.isDue = false
        }
    }
}

extension Inbox.State {
    /// Returns whether the thread has yet to be told.
    fileprivate mutating func becomeDue() -> Bool {
        defer { isDue = true }
        return !isDue
    }
}
