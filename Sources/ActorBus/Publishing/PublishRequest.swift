/// A message on its way, and who is to know its fate.
@safe final class PublishRequest: @unchecked Sendable {
    // Unchecked: made by the publishing task, and touched by the connection's thread alone once it is in the inbox.
    let publisher: UInt32
    let message: Message
    let exchange: String
    let routingKey: String
    let mandatory: Bool
    /// The SHA-256 digest of the body, computed when it is first asked for.
    private(set) lazy var bodyDigest = message.bodyDigest
    /// Nil once it knows.
    private var receiver: Receiver?
    /// When to give up what has made no progress; set when the thread takes the request.
    var deadline = Instant(nanoseconds: .max)
    /// When the socket last took some of a body that is written piece by piece.
    var lastProgress: Instant?
    /// How much of such a body was written at most, however often it was begun.
    var bodyWritten: Int64 = 0
    /// Whether any of it may have reached the broker.
    var wasWritten = false
    /// Whether the thread has taken it on.
    var isSubmitted = false
    var isCancelled = false
    /// Whether the broker may have closed a channel for it.
    var isSuspect = false
    /// Set by basic.return, which comes before the message's confirm.
    var returned: AMQPError?

    @safe private enum Receiver {
        case task(UnsafeContinuation<Void, any Error>)
        case pending(PendingOutcome, SendWindow)
    }

    init(
        publisher: UInt32, message: Message, exchange: String, routingKey: String, mandatory: Bool
    ) {
        self.publisher = publisher
        self.message = message
        self.exchange = exchange
        self.routingKey = routingKey
        self.mandatory = mandatory
    }

    /// When to give up: the time-out counts from the call, or else from the last progress of a large body, so that a slow
    /// link is no reason to send it twice.
    func end(timeoutNanoseconds: Int64) -> Instant { lastProgress?.after(timeoutNanoseconds) ?? deadline }

    /// Whether somebody is still to be told.
    var isAwaited: Bool { receiver != nil }

    func await(_ continuation: UnsafeContinuation<Void, any Error>) { receiver = unsafe .task(continuation) }

    func tell(_ outcome: PendingOutcome, in window: SendWindow) { receiver = .pending(outcome, window) }

    func succeed() { finish(.success(())) }

    func fail(_ error: any Error) { finish(.failure(error)) }

    private func finish(_ result: Result<Void, any Error>) {
        switch receiver.take() {
        case .task(let continuation)?: unsafe continuation.resume(with: result)
        case .pending(let outcome, let window)?: window.finish(outcome, result)
        case nil: break
        }
    }

    /// Ends the wait when the connection can do no more for it, with what is known of the message.
    func abandon(_ why: String, code: AMQPError.Code) {
        guard isAwaited else { return }
        fail(
            wasWritten
                ? unconfirmed(why) : AMQPError(code, "the message to '\(exchange)' was not sent: \(why)"))
    }

    /// Ends the wait because the connection is closed for good; the cause can be told from the error.
    func abandon(closed error: AMQPError) {
        guard isAwaited else { return }
        var outcome =
            wasWritten
            ? unconfirmed(error.message)
            : AMQPError(
                .connectionClosed, "the message to '\(exchange)' was not sent: \(error.message)", remedy: error.remedy)
        if error.code != .connectionClosed {
            (outcome.cause, outcome.replyCode, outcome.replyText) = (error.code, error.replyCode, error.replyText)
        }
        fail(outcome)
    }

    private func unconfirmed(_ why: String) -> AMQPError {
        AMQPError(
            .maybePublished, "the message to '\(exchange)' was sent and not confirmed: \(why)",
            remedy: "publish it again under the same message id; consumers must take a repetition")
    }
}
