/// An error that ends a channel or a connection, with the code and text that RabbitMQ has for it (AMQP 0-9-1 section
/// 1.5).
struct ReplyError: Error, Equatable {
    var code: ReplyCode
    /// The whole text as it goes over the wire.
    var text: String

    init(_ code: ReplyCode, _ explanation: String) {
        self.code = code
        let whole = "\(code.name) - \(explanation)"
        text = whole.utf8.count > 255 ? String(decoding: Array(whole.utf8.prefix(252)), as: UTF8.self) + "..." : whole
    }

    static func preconditionFailed(_ explanation: String) -> ReplyError { ReplyError(.preconditionFailed, explanation) }
    static func notFound(_ what: String) -> ReplyError { ReplyError(.notFound, "no \(what)") }
    static func accessRefused(_ explanation: String) -> ReplyError { ReplyError(.accessRefused, explanation) }

    /// What the model does not cover; never something that RabbitMQ would say of the same call.
    static func notSimulated(_ what: String) -> ReplyError {
        ReplyError(.notImplemented, "\(what) is not simulated")
    }
}

enum ReplyCode: UInt16 {
    case noRoute = 312
    case connectionForced = 320
    case accessRefused = 403
    case notFound = 404
    case resourceLocked = 405
    case preconditionFailed = 406
    case frameError = 501
    case syntaxError = 502
    case commandInvalid = 503
    case channelError = 504
    case unexpectedFrame = 505
    case notAllowed = 530
    case notImplemented = 540
    case internalError = 541

    var name: String {
        switch self {
        case .noRoute: "NO_ROUTE"
        case .connectionForced: "CONNECTION_FORCED"
        case .accessRefused: "ACCESS_REFUSED"
        case .notFound: "NOT_FOUND"
        case .resourceLocked: "RESOURCE_LOCKED"
        case .preconditionFailed: "PRECONDITION_FAILED"
        case .frameError: "FRAME_ERROR"
        case .syntaxError: "SYNTAX_ERROR"
        case .commandInvalid: "COMMAND_INVALID"
        case .channelError: "CHANNEL_ERROR"
        case .unexpectedFrame: "UNEXPECTED_FRAME"
        case .notAllowed: "NOT_ALLOWED"
        case .notImplemented: "NOT_IMPLEMENTED"
        case .internalError: "INTERNAL_ERROR"
        }
    }

    /// Whether the error ends the whole connection rather than the channel on which it came.
    var closesConnection: Bool {
        switch self {
        case .noRoute, .accessRefused, .notFound, .resourceLocked, .preconditionFailed: false
        default: true
        }
    }
}
