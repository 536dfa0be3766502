/// What tasks ask of the connection's thread without waiting for a turn of the actor: publishes and settlements, which
/// come by the thousand. The thread takes all there are at once, and is woken as seldom as can be.
///
/// Waking the thread costs more than everything else that is done for a settlement, and settlements that are written
/// together bring the next deliveries together. So while deliveries are being worked on the thread looks by itself, every
/// ``linger``, and is woken before that only when as many are settled as a consumer's channel wants together.
final class Inbox: Sendable {
    enum Command: Sendable {
        case publish(PublishRequest)
        /// The task that waits for this publish was cancelled.
        case cancelPublish(PublishRequest)
        /// Nobody holds this publisher any more.
        case releasePublisher(UInt32)
        case settle(ConsumerChannel, deliveryTag: UInt64, Settlement)
        /// Nobody reads this consumer's deliveries any more; these were not handed out.
        case release(consumer: UInt32, unread: [Delivery])
    }

    fileprivate struct State {
        var commands: [Command] = []
        /// When the thread looks by itself; nil while it has to be woken.
        var looksAt: Instant?
        /// Whether the thread was told to look.
        var isDue = false
    }

    /// How long a settlement may wait for others, in nanoseconds: four milliseconds. A shorter time costs more, since a
    /// timer that is near has to be set anew in each turn.
    static let linger: Int64 = 4_000_000

    private let state = Lock(State())
    private let waker: any Waker

    init(waking waker: any Waker) { self.waker = waker }

    /// Asks for something to be done now.
    func put(_ command: Command) {
        let mustWake = state.withLock { state in
            state.commands.append(command)
            return state.becomeDue()
        }
        if mustWake { waker.wake() }
    }

    /// Asks for a settlement to be sent, now or with others.
    func put(settlement: Settlement, of channel: ConsumerChannel, deliveryTag: UInt64) {
        let mustWake = state.withLock { state in
            state.commands.append(.settle(channel, deliveryTag: deliveryTag, settlement))
            let waits = state.looksAt != nil && state.commands.count < channel.settlementsTogether
            return !waits && state.becomeDue()
        }
        if mustWake { waker.wake() }
    }

    // MARK: The thread's side

    /// Deliveries were handed out to a consumer whose prefetch lets settlements wait, and they are likely to follow. With
    /// a smaller one the thread is woken for each, and a timer would only cost.
    func handedOut(now: Instant) {
        // What waits already waits no longer for that.
        state.withLock { state in state.looksAt = state.looksAt ?? now.after(Self.linger) }
    }

    /// Exchanges what is due for an empty array, whose storage is used again. Returns when the thread has to look again
    /// by itself; nil when it will be woken.
    func takeDue(into taken: inout [Command], now: Instant) -> Instant? {
        taken.removeAll(keepingCapacity: true)
        return state.withLock { state in
            if let looksAt = state.looksAt, now < looksAt, !state.isDue { return looksAt }
            // Where something was settled meanwhile there is more to come; where nothing was, a handler takes its time.
            state.looksAt = state.looksAt == nil || state.commands.isEmpty ? nil : now.after(Self.linger)
            swap(&state.commands, &taken)
            state.isDue = false
            return state.looksAt
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
