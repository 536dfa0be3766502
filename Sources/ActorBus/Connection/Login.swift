extension ConnectionConfiguration {
    /// The method that logs in (AMQP 0-9-1, connection.start-ok; SASL PLAIN, RFC 4616).
    func login(password: String) -> OutgoingMethod {
        .connectionStartOk(
            clientProperties: [
                "product": "ActorBus", "platform": "Swift", "connection_name": .string(name),
                "capabilities": .table([
                    "publisher_confirms": true, "consumer_cancel_notify": true, "basic.nack": true,
                    "connection.blocked": true, "authentication_failure_close": true,
                    "exchange_exchange_bindings": true,
                ]),
            ], mechanism: "PLAIN", response: [0] + Array(user.utf8) + [0] + Array(password.utf8))
    }

    /// Checks that user and password can be sent to a broker at all. Connecting does the same before anything is sent.
    ///
    /// Until frames are agreed on, a broker takes none above 4096 bytes (AMQP 0-9-1, frame-min-size), and what comes before
    /// and behind a NUL are parts of their own in PLAIN.
    /// - Throws: ``AMQPError/Code/invalidConfiguration``, in words without the password.
    public func checkLogin() throws(AMQPError) { try checkLogin(password: password) }

    func checkLogin(password: String) throws(AMQPError) {
        for (part, text) in [("user", user), ("password", password)] where text.utf8.contains(0) {
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
