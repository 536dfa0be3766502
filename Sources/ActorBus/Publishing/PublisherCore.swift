/// A publisher's messages, from a task's call to the broker's answer, over as many sessions as that takes. Touched by
/// the connection's thread alone.
final class PublisherCore: ChannelUser {
    private let window: Int
    private let timeout: Duration
    private let timeoutNanoseconds: Int64
    private let world: World
    private var channel: Channel?
    private var ledger = ConfirmLedger<PublishRequest>()
    /// Not yet written on this channel, oldest first.
    private var waiting = Ring<PublishRequest>()
    /// How many of `waiting` nobody waits for any more.
    private var cancelledWaiting = 0
    /// No request's deadline is earlier than this; nil when none waits.
    private(set) var nextDeadline: Instant?
    /// When to replace the channel; nil while it is good.
    private var renewal: Instant?
    private var lastRenewal: Instant?
    /// Whether what is unanswered is a message that may have offended the broker.
    private var isSuspectUnderWay = false
    /// Called when the broker closed the channel while the connection lives on.
    var onChannelClosed: (() -> Void)?
    /// Whether the broker gave it no channel when it was last asked.
    var lacksChannel = false
    /// Set when nobody can publish with it any more.
    var isReleased = false

    init(window: Int, timeout: Duration, world: World) {
        self.window = window
        self.timeout = timeout
        timeoutNanoseconds = timeout.nanoseconds
        self.world = world
    }

    var isAttached: Bool { channel != nil }
    /// Whether it is released and everything it was given has an end.
    var isOver: Bool { isReleased && waiting.isEmpty && ledger.unanswered == 0 }

    /// Begins to use a channel of a new session, in confirm mode.
    func attach(_ channel: Channel) {
        channel.user = self
        self.channel = channel
        lacksChannel = false
    }

    /// Gives its channel back, to be closed.
    func detach() -> Channel? {
        channel?.user = nil
        return channel.take()
    }

    /// Takes a message on; `now` begins its deadline.
    func submit(_ request: PublishRequest, now: Instant) {
        guard !request.isCancelled else { return request.fail(CancellationError()) }
        request.isSubmitted = true
        request.deadline = now.after(timeoutNanoseconds)
        nextDeadline = nextDeadline ?? request.deadline
        waiting.append(request)
    }

    /// The task that waits for `request` was cancelled. What was written may yet be confirmed, so that outcome is
    /// unknown.
    func cancel(_ request: PublishRequest) {
        request.isCancelled = true
        // A cancellation may overtake the publish itself, whose continuation is then still the task's.
        guard request.isSubmitted, request.isAwaited else { return }
        if request.wasWritten {
            request.abandon("its task was cancelled", code: .timedOut)
        } else {
            request.fail(CancellationError())
            cancelledWaiting += 1
            if cancelledWaiting > 64, cancelledWaiting > waiting.count / 2 { dropCancelled() }
        }
    }

    /// Lets go of requests that nobody waits for and that may not be written for long.
    private func dropCancelled() {
        var kept = Ring<PublishRequest>()
        while let request = waiting.popFirst() {
            if request.isAwaited { kept.append(request) }
        }
        waiting = kept
        cancelledWaiting = 0
    }

    /// Encodes what waits, as far as the window, the socket and the broker allow.
    func pump(_ session: Session, now: Instant) {
        guard let channel, !channel.isClosing, session.blocked == nil, !isRenewing(now: now) else { return }
        while channel.outgoing == nil, hasPlace, session.hasRoom, let request = waiting.popFirst() {
            guard request.isAwaited else { continue }
            do {
                try session.publish(request, on: channel)
                if channel.outgoing != nil, request.lastProgress == nil { request.lastProgress = now }
                wasPublished(request)
            } catch {
                request.fail(error)
            }
        }
    }

    /// Notes a message of which some may have reached the broker.
    func wasPublished(_ request: PublishRequest) {
        request.wasWritten = true
        isSuspectUnderWay = request.isSuspect
        ledger.append(request)
    }

    /// Whether messages wait that `pump` could take.
    func wantsToPump(now: Instant) -> Bool {
        guard let channel, !channel.isClosing, channel.outgoing == nil, !isRenewing(now: now) else { return false }
        return hasPlace
    }

    /// Whether the next message may be written now. One for which the broker may have closed the last channel has this one
    /// for itself, so that it is known when it does so again.
    private var hasPlace: Bool {
        guard let next = waiting.first else { return false }
        return ledger.unanswered == 0 || (ledger.unanswered < window && !next.isSuspect && !isSuspectUnderWay)
    }

    // MARK: Renewal

    /// Wants another channel, at once or when the last was replaced `interval` ago.
    private func renew(now: Instant, atMostEvery interval: Duration) {
        renewal = .earlier(renewal, lastRenewal.map { max(now, $0 + interval) } ?? now)
    }

    private func isRenewing(now: Instant) -> Bool { renewal.map { now >= $0 } ?? false }

    /// How long what is under way may still be answered before its channel is replaced.
    private var grace: Duration { min(.seconds(1), timeout / 8) }

    /// The channel to be closed now, for another to take its place: when nothing is under way that may still be answered, or
    /// the grace is over.
    func channelToRenew(now: Instant) -> Channel? {
        guard let renewal, isRenewing(now: now), let channel, !channel.isClosing, channel.outgoing == nil else {
            return nil
        }
        let isAwaitingAnswers = now < renewal + grace && ledger.contains { end(of: $0) > now }
        return isAwaitingAnswers ? nil : channel
    }

    /// When the loop has to turn for this publisher at the latest. While the broker blocks publishing no channel is
    /// replaced, since it would not read that either.
    func wakeUp(isBlocked: Bool) -> Instant? {
        guard let renewal, let channel, !channel.isClosing, channel.outgoing == nil, !isBlocked else {
            return nextDeadline
        }
        return .earlier(nextDeadline, world.now < renewal ? renewal : renewal + grace)
    }

    private func end(of request: PublishRequest) -> Instant { request.end(timeoutNanoseconds: timeoutNanoseconds) }

    /// Gives up what has waited too long. What was written and never answered would keep its place in the window for as
    /// long as the channel lives, so the channel is replaced, at most twice in a time-out: a broker that is merely slow
    /// must not be given everything twice all the time.
    func expire(now: Instant) {
        guard let due = nextDeadline, now >= due else { return }
        var next: Instant?
        var isUnanswered = false
        ledger.forEach { request in
            let end = end(of: request)
            if end <= now {
                isUnanswered = true
                giveUp(request)
            } else {
                next = .earlier(next, end)
            }
        }
        if isUnanswered { renew(now: now, atMostEvery: max(timeout / 2, .seconds(1))) }
        // All have the same time-out, so the oldest is due first, but for large ones that are to be written once more and
        // have more time than those behind them.
        for position in 0..<waiting.count {
            let request = waiting[position]
            guard request.isAwaited else { continue }
            let end = end(of: request)
            if end <= now {
                giveUp(request)
            } else {
                next = .earlier(next, end)
                if request.lastProgress == nil { break }
            }
        }
        while let request = waiting.first, !request.isAwaited { _ = waiting.popFirst() }
        nextDeadline = next
    }

    /// What was written may be stored, so whoever waits must not be told that it was not.
    private func giveUp(_ request: PublishRequest) {
        request.abandon(
            request.lastProgress == nil
                ? "no confirm within \(timeout)"
                : "nothing more of its body could be written, and no confirm came, for \(timeout)", code: .timedOut)
    }

    /// Ends every wait: the connection is closed for good.
    func failAll(_ error: AMQPError) {
        for request in ledger.removeAll() + waiting.removeAll() { request.abandon(closed: error) }
        // Confirms that are still under way find nobody, rather than a ledger that knows nothing of them.
        _ = detach()
    }

    // MARK: ChannelUser

    func answered(_ deliveryTag: UInt64, multiple: Bool, confirmed: Bool) -> Bool {
        ledger.answer(deliveryTag, multiple: multiple) { request in
            if let returned = request.returned {
                request.fail(returned)
            } else if confirmed {
                request.succeed()
            } else {
                // A channel that first published to a quorum queue while its leader was going away refuses everything from
                // then on (seen with RabbitMQ 3.10), and a new one finds the new leader. Not more than once a second, since
                // a full queue refuses too.
                renew(now: world.now, atMostEvery: .seconds(1))
                request.fail(
                    AMQPError(
                        .refused, "the broker refused the message to '\(request.exchange)' (basic.nack)",
                        remedy: "look whether a queue is full, or its leader gone, and publish it again"))
            }
        }
    }

    /// A return says nothing of a number, but comes before its message's confirm: it is an unanswered message that is the
    /// same to the last byte, and of messages that are the same each will do.
    ///
    /// RabbitMQ sends returns in the order of publication, so the search goes on from the last, and a window of messages
    /// is looked through once however many of them come back; only what comes in another order is looked for from the
    /// start. A broker may add headers to a message and set some of its properties (message interceptors), so when none is
    /// the same in all of them, one with the same body and names will do.
    func returned(_ message: Message, exchange: String, routingKey: String, reason: AMQPError) {
        let returned = ReturnedMessage(message, exchange: exchange, routingKey: routingKey)
        let request =
            ledger.next { returned.isEqual(to: $0, exactly: true) }
            ?? ledger.next { returned.isEqual(to: $0, exactly: false) }
        request?.returned = reason
    }

    func delivered(_ header: IncomingMethod.DeliverHeader, _ message: Message, headersFault: String?) -> Bool { false }

    func cancelledByBroker() {}

    /// Puts what is unanswered in front of what waits, in order, to be published again: the next channel's window
    /// decides. A message that the broker has closed the channel for must not go again, since it would close the next
    /// one too.
    func channelClosed(_ error: AMQPError) {
        guard channel != nil else { return }
        channel = nil
        if renewal != nil { lastRenewal = world.now }
        renewal = nil
        isSuspectUnderWay = false
        var again = Ring<PublishRequest>()
        let unanswered = ledger.removeAll()
        // One that was alone on its channel is to blame, whatever the broker says.
        let culprits = unanswered.count == 1 ? unanswered : unanswered.filter { $0.isBlamed(by: error) }
        for request in unanswered {
            request.returned = nil
            if error.replyCode == nil || error.code == .closedByBroker {
                again.append(request)
            } else if culprits.contains(where: { $0 === request }) {
                request.fail(error)
            } else {
                // Where it cannot be told which of them offended, each is published again by itself.
                request.isSuspect = culprits.isEmpty
                again.append(request)
            }
        }
        while let request = waiting.popFirst() { again.append(request) }
        waiting = again
        onChannelClosed?()
    }
}

extension PublishRequest {
    /// Whether the broker's words for closing the channel name this message's exchange, or its size (RabbitMQ: "no
    /// exchange 'x' in vhost …", "access to exchange 'x' …", "message size 5 is larger than …").
    fileprivate func isBlamed(by error: AMQPError) -> Bool {
        guard let text = error.replyText else { return false }
        // What AMQP leaves nameless has this name in RabbitMQ's words.
        let name = exchange.isEmpty ? "amq.default" : exchange
        return text.contains("exchange '\(name)' in vhost") || text.contains("message size \(message.bodySize) ")
    }
}
