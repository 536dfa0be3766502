/// A publisher's messages, from a task's call to the broker's answer, over as many sessions as that takes. Touched by
/// the connection's thread alone.
final class PublisherCore: ChannelUser {
    private let window: Int
    private let timeout: Duration
    private var channel: Channel?
    private var ledger = ConfirmLedger<PublishRequest>()
    /// Not yet written on this channel, oldest first.
    private var waiting = Ring<PublishRequest>()
    /// No request's deadline is earlier than this; nil when none waits.
    private(set) var nextDeadline: Instant?
    /// Called when the broker closed the channel while the connection lives on.
    var onChannelClosed: (() -> Void)?

    init(window: Int, timeout: Duration) {
        self.window = window
        self.timeout = timeout
    }

    var isAttached: Bool { channel != nil }

    /// Begins to use a channel of a new session, in confirm mode.
    func attach(_ channel: Channel) {
        channel.user = self
        self.channel = channel
    }

    /// Takes a message on; `now` begins its deadline.
    func submit(_ request: PublishRequest, now: Instant) {
        guard !request.isCancelled else { return request.fail(CancellationError()) }
        request.isSubmitted = true
        request.deadline = now + timeout
        nextDeadline = nextDeadline ?? request.deadline
        waiting.append(request)
    }

    /// The task that waits for `request` was cancelled. What was written may yet be confirmed, so that outcome is
    /// unknown.
    func cancel(_ request: PublishRequest) {
        request.isCancelled = true
        // A cancellation may overtake the publish itself, whose continuation is then still the task's.
        guard request.isSubmitted else { return }
        if request.wasWritten {
            request.abandon("its task was cancelled", code: .timedOut)
        } else {
            request.fail(CancellationError())
        }
    }

    /// Encodes what waits, as far as the window, the socket and the broker allow. Returns whether more could go at once
    /// if there were room in the socket.
    func pump(_ session: Session) {
        guard let channel, session.blocked == nil else { return }
        while ledger.unanswered < window, session.hasRoom, let request = waiting.popFirst() {
            guard request.isAwaited else { continue }
            do {
                try session.publish(request, on: channel)
                request.wasWritten = true
                ledger.append(request)
            } catch {
                request.fail(error)
            }
        }
    }

    /// Whether messages wait that `pump` could take.
    var wantsToPump: Bool { channel != nil && !waiting.isEmpty && ledger.unanswered < window }

    /// Gives up what has waited too long.
    func expire(now: Instant) {
        guard let due = nextDeadline, now >= due else { return }
        var next: Instant?
        func check(_ request: PublishRequest) {
            guard request.isAwaited else { return }
            if request.deadline <= now {
                request.abandon("no confirm within \(timeout)", code: .timedOut)
            } else {
                next = min(next ?? request.deadline, request.deadline)
            }
        }
        ledger.forEach(check)
        for position in 0..<waiting.count { check(waiting[position]) }
        nextDeadline = next
    }

    /// Ends every wait: the connection is closed for good.
    func failAll(_ why: String, code: AMQPError.Code) {
        for request in ledger.removeAll() + waiting.removeAll() { request.abandon(why, code: code) }
        channel = nil
    }

    // MARK: ChannelUser

    func answered(_ deliveryTag: UInt64, multiple: Bool, confirmed: Bool) -> Bool {
        ledger.answer(deliveryTag, multiple: multiple) { request in
            if let returned = request.returned {
                request.fail(returned)
            } else if confirmed {
                request.succeed()
            } else {
                request.fail(
                    AMQPError(
                        .refused, "the broker refused the message to '\(request.exchange)' (basic.nack)",
                        remedy: "look whether a queue is full, or its leader gone, and publish it again"))
            }
        }
    }

    /// A return says nothing of a number, but comes before its message's confirm: it is the first unanswered message
    /// that is the same to the last byte, and of messages that are the same each will do.
    func returned(_ message: Message, exchange: String, routingKey: String, reason: AMQPError) {
        let request = ledger.first { request in
            request.returned == nil && request.mandatory && request.exchange == exchange
                && request.routingKey == routingKey
                && request.message.properties.messageID == message.properties.messageID
                && request.message.body == message.body
        }
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
        var again = Ring<PublishRequest>()
        let unanswered = ledger.removeAll()
        let culprits = unanswered.filter { $0.isBlamed(by: error) }
        for request in unanswered {
            request.returned = nil
            if error.replyCode == nil || error.code == .closedByBroker {
                again.append(request)
            } else if culprits.isEmpty {
                // Something in the window offended, and what it was cannot be told.
                request.abandon(error.message, code: error.code)
            } else if culprits.contains(where: { $0 === request }) {
                request.fail(error)
            } else {
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
        return text.contains("exchange '\(exchange)' in vhost") || text.contains("message size \(message.body.count) ")
    }
}
