/// Everything that ActorBus throws, but for `CancellationError`, which stays itself.
///
/// `description` says what was tried, what was found and what to do; it never holds a password.
public struct AMQPError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of failure it is. The set may grow, so a `switch` needs a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        public let description: String

        private init(_ description: String) { self.description = description }

        /// A configuration, URL or argument that cannot be used; nothing was sent.
        public static let invalidConfiguration = Code("invalid configuration")
        /// Something that this version does not do.
        public static let unsupported = Code("unsupported")
        /// No broker answered at any of the addresses, or none let us work for a reason that may pass; ``AMQPError/cause``
        /// then tells which.
        public static let brokerUnreachable = Code("broker unreachable")
        /// The broker refused the user name or the password (403 while logging in).
        public static let loginRefused = Code("login refused")
        /// The broker's certificate is not accepted, or the client's is not; or a certificate or key cannot be read; or TLS is
        /// not spoken at the port.
        public static let tlsFailed = Code("TLS failed")
        /// The virtual host does not exist or the user may not enter it (530).
        public static let virtualHostRefused = Code("virtual host refused")
        /// The user, the virtual host or the node has as many connections as it may have (530).
        public static let connectionLimitReached = Code("connection limit reached")
        /// The user has no permission for the resource (403).
        public static let accessRefused = Code("access refused")
        /// No such queue or exchange (404).
        public static let notFound = Code("not found")
        /// Another connection, or another consumer, holds the resource exclusively (405, or 403 "in exclusive use").
        public static let resourceLocked = Code("resource locked")
        /// Declared otherwise than the broker holds it, or another precondition that does not hold (406).
        public static let preconditionFailed = Code("precondition failed")
        /// The broker closed the channel or connection with any other code.
        public static let closedByBroker = Code("closed by broker")
        /// The connection broke. Recovery is under way unless the connection was closed.
        public static let connectionLost = Code("connection lost")
        /// The connection is closed for good: by its owner, or by an error that ``AMQPError/cause`` then names.
        public static let connectionClosed = Code("connection closed")
        /// The peer sent what is no AMQP 0-9-1.
        public static let protocolViolation = Code("protocol violation")
        /// The deadline passed. A message was surely not taken by the broker; a method was not answered.
        public static let timedOut = Code("timed out")
        /// The message was written to the socket, and whether the broker has it is not known. Publish it again under
        /// the same message id, or look.
        public static let maybePublished = Code("maybe published")
        /// A mandatory message that no queue took (basic.return).
        public static let returned = Code("returned")
        /// The broker refused the message (basic.nack), as a full queue with `reject-publish` does.
        public static let refused = Code("refused")
        /// A message that cannot be sent; nothing of it was.
        public static let invalidMessage = Code("invalid message")
        /// Work that was still in hand when the drain time was over.
        public static let drainTimedOut = Code("drain timed out")
        /// No thread, socket or descriptor was to be had.
        public static let systemResource = Code("system resource")
    }

    public var code: Code
    /// What was tried and what was found, a sentence without a full stop.
    public var message: String
    /// The broker's reply code (AMQP 0-9-1 section 1.5), where it gave one.
    public var replyCode: UInt16?
    /// The broker's reply text, where it gave one.
    public var replyText: String?
    /// What to do about it, where that is known.
    public var remedy: String?
    /// What led to it, where that is an error of another code. A message that fails because its connection was closed for
    /// good has `connectionClosed` or `maybePublished` as its code, and here `accessRefused` or `preconditionFailed`;
    /// `brokerUnreachable` has what the broker refused at the last attempt.
    public var cause: Code?

    public init(
        _ code: Code, _ message: String, replyCode: UInt16? = nil, replyText: String? = nil, remedy: String? = nil,
        cause: Code? = nil
    ) {
        self.code = code
        self.message = message
        self.replyCode = replyCode
        self.replyText = replyText
        self.remedy = remedy
        self.cause = cause
    }

    public var description: String {
        var text = message
        if let replyText, !message.contains(replyText) {
            text += " (the broker said: \(replyCode.map { "\($0) " } ?? "")\(replyText))"
        }
        if let remedy { text += "; \(remedy)" }
        return text
    }
}
