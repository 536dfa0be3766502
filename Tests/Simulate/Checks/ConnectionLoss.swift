import ActorBus

/// What may cost a whole connection. A queue, a consumer or a publisher that is refused, or has no answer, may not.
enum ConnectionLoss {
    /// Said of the connection by the client itself.
    private static let words = [
        "Connection refused", "Connection reset by peer", "closed the connection without a word", "does not resolve",
        "was not resolved", "no connection within", "nothing was heard from the broker", "blocked publishing for",
        "the broker did not answer in time", "the connection was lost again",
    ]
    /// 320 and 541; and what a login may be refused with.
    private static let codes: Set<UInt16> = [320, 530, 541]

    static func isKnown(_ error: AMQPError) -> Bool {
        if let code = error.replyCode { return codes.contains(code) }
        return error.code != .protocolViolation && words.contains(where: error.message.contains)
    }
}
