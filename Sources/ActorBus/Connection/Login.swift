extension ConnectionConfiguration {
    /// The method that logs in (AMQP 0-9-1, connection.start-ok).
    func login(password: String) -> OutgoingMethod {
        .connectionStartOk(
            clientProperties: [
                "product": "ActorBus", "platform": "Swift", "connection_name": .string(name),
                "capabilities": .table([
                    "publisher_confirms": true, "consumer_cancel_notify": true, "basic.nack": true,
                    "connection.blocked": true, "authentication_failure_close": true,
                    "exchange_exchange_bindings": true,
                ]),
            ], mechanism: loginMechanism.rawValue, response: loginResponse(password: password))
    }

    /// Who logs in, for a sentence.
    public var userInWords: String {
        loginMechanism == .external ? "the user of the client's certificate" : "'\(user)'"
    }

    private func loginResponse(password: String) -> [UInt8] {
        switch loginMechanism {
        case .plain: [0] + Array(user.utf8) + [0] + Array(password.utf8)
        // A field table without its length (AMQP 0-9-1 section 4.2.5.5).
        case .amqplain: Self.entry("LOGIN", user) + Self.entry("PASSWORD", password)
        case .external: []
        }
    }

    private static func entry(_ key: String, _ text: String) -> [UInt8] {
        let length = UInt32(clamping: text.utf8.count)
        let size = stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: length >> UInt32($0)) }
        return [UInt8(clamping: key.utf8.count)] + Array(key.utf8) + [UInt8(ascii: "S")] + size + Array(text.utf8)
    }

    /// Checks that user and password can be sent to a broker at all. Connecting does the same before anything is sent.
    ///
    /// Until frames are agreed on, a broker takes none above 4096 bytes (AMQP 0-9-1, frame-min-size), and what comes before
    /// and behind a NUL are parts of their own in PLAIN.
    /// - Throws: ``AMQPError/Code/invalidConfiguration``, in words without the password.
    public func checkLogin() throws(AMQPError) { try checkLogin(password: password) }

    func checkLogin(password: String) throws(AMQPError) {
        guard loginMechanism != .external else { return }
        for (part, text) in [("user", user), ("password", password)]
        where loginMechanism == .plain && text.utf8.contains(0) {
            throw AMQPError(.invalidConfiguration, "the \(part) has a NUL in it, which a login cannot carry")
        }
        // A frame's head and end are 8 bytes.
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096 - 8, alignment: 8)
        defer { unsafe room.deallocate() }
        guard try unsafe login(password: password).encode(into: room, pool: WirePool()) != nil else {
            throw AMQPError(
                .invalidConfiguration,
                "user (\(user.utf8.count) bytes), password (\(password.utf8.count) bytes) and the connection's name "
                    + "(\(name.utf8.count) bytes) are too long: a broker takes 4096 bytes before it knows who logs in",
                remedy: "use shorter ones")
        }
    }
}
