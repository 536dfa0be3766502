internal import COpenSSL

/// One TLS session in memory: bytes from the network go in at one side and come out at the other, decrypted, and the
/// same the other way round. It does no I/O.
@safe final class TLSSession {
    private let session: OpaquePointer
    /// What has come from the network and is not yet decrypted, and what is encrypted and not yet sent. Both belong to the
    /// session.
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    private let server: TLSServerName
    private let isVerifying: Bool

    /// Throws ``AMQPError/Code/tlsFailed``, and `invalidConfiguration` for a name that no host has.
    init(_ configuration: TLSConfiguration, host: String) throws(AMQPError) {
        let context = try TLSContext(configuration)
        server = TLSServerName(configuration.serverName ?? host)
        isVerifying = !configuration.dangerouslyAcceptsAnyCertificate
        unsafe session = try context.makeSession()
        let (incoming, outgoing) = unsafe (BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()))
        guard let incoming = unsafe incoming, let outgoing = unsafe outgoing else {
            unsafe BIO_free(incoming)
            unsafe BIO_free(outgoing)
            unsafe SSL_free(session)
            throw AMQPError(.systemResource, "OpenSSL has no memory: \(TLSFault.words)")
        }
        unsafe (self.incoming, self.outgoing) = unsafe (incoming, outgoing)
        unsafe actorbus_tls_empty_is_no_end(incoming)
        unsafe SSL_set_bio(session, incoming, outgoing)
        unsafe actorbus_tls_write_in_parts(session)
        unsafe SSL_set_connect_state(session)
        try unsafe server.demand(of: session)
    }

    deinit { unsafe SSL_free(session) }

    /// Goes on with the handshake; true when it is done. Throws ``AMQPError/Code/tlsFailed``.
    func handshake() throws(AMQPError) -> Bool {
        switch try progress({ unsafe SSL_do_handshake(session) }) {
        case .done: return true
        case .waits: return false
        case .ended: throw failure
        }
    }

    /// Takes what came from the network.
    func receive(_ bytes: UnsafeRawBufferPointer) throws(AMQPError) {
        guard unsafe BIO_write(incoming, bytes.baseAddress, CInt(bytes.count)) == CInt(bytes.count) else {
            throw AMQPError(.systemResource, "OpenSSL has no memory: \(TLSFault.words)")
        }
    }

    /// Decrypts into `target`; 0 when a whole record is not there yet, nil when the broker has ended the stream.
    func read(into target: UnsafeMutableRawBufferPointer) throws(AMQPError) -> Int? {
        var count = 0
        switch try progress({ unsafe SSL_read_ex(session, target.baseAddress, target.count, &count) }) {
        case .done: return count
        case .waits: return 0
        case .ended: return nil
        }
    }

    /// Whether something is there to be decrypted, or is decrypted already.
    var hasUnread: Bool { unsafe SSL_pending(session) > 0 || BIO_ctrl_pending(incoming) > 0 }

    /// Encrypts, and returns how many bytes of it.
    func write(_ bytes: UnsafeRawBufferPointer) throws(AMQPError) -> Int {
        var count = 0
        switch try progress({ unsafe SSL_write_ex(session, bytes.baseAddress, bytes.count, &count) }) {
        case .done: return count
        case .waits: return 0
        case .ended: throw failure
        }
    }

    /// How many bytes wait to be sent.
    var unsent: Int { unsafe BIO_ctrl_pending(outgoing) }

    /// Takes what waits to be sent, at most the room in `target`.
    func takeUnsent(into target: UnsafeMutableRawBufferPointer) -> Int {
        Int(max(0, unsafe BIO_read(outgoing, target.baseAddress, CInt(clamping: target.count))))
    }

    /// Tells the broker that nothing more comes (RFC 8446 section 6.1).
    func end() {
        TLSFault.forget()
        // Not waited for: what AMQP had to say is said.
        _ = unsafe SSL_shutdown(session)
    }

    private enum Progress {
        case done
        /// For more from the network.
        case waits
        /// The broker has ended the stream.
        case ended
    }

    /// What a call of OpenSSL came to. Throws what it failed with.
    private func progress(_ call: () -> CInt) throws(AMQPError) -> Progress {
        TLSFault.forget()
        let status = call()
        if status == 1 { return .done }
        switch unsafe SSL_get_error(session, status) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .waits
        case SSL_ERROR_ZERO_RETURN: return .ended
        default: throw failure
        }
    }

    private var failure: AMQPError {
        let verdict = unsafe SSL_get_verify_result(session)
        if isVerifying, verdict != Int(X509_V_OK) { return server.refusal(verdict: verdict) }
        return TLSFault.error
    }
}
