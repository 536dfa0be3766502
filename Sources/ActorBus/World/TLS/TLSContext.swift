internal import COpenSSL

/// What a TLS configuration comes to in OpenSSL: authorities, certificate and key, read from their files. Reading blocks for as
/// long as files do; it happens on the connection's own thread.
@safe final class TLSContext {
    private let context: OpaquePointer

    /// OpenSSL, without its own clean-up at the end of a process: that would take its state from connections on other
    /// threads.
    private static let isReady = OPENSSL_init_ssl(UInt64(OPENSSL_INIT_NO_ATEXIT), nil) == 1

    /// Throws ``AMQPError/Code/tlsFailed`` for files that cannot be used.
    init(_ configuration: TLSConfiguration) throws(AMQPError) {
        TLSFault.forget()
        guard Self.isReady, let context = unsafe SSL_CTX_new(TLS_client_method()) else {
            throw AMQPError(.systemResource, "OpenSSL cannot be used: \(TLSFault.words)")
        }
        unsafe self.context = unsafe context
        // Nothing older is safe (RFC 8996).
        guard unsafe actorbus_tls_set_least_version(context, TLS1_2_VERSION) == 1 else {
            throw AMQPError(.systemResource, "OpenSSL cannot be used: \(TLSFault.words)")
        }
        unsafe actorbus_tls_refuse_renegotiation(context)
        if configuration.dangerouslyAcceptsAnyCertificate {
            unsafe SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
        } else {
            unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
            try trust(configuration.trust)
        }
        if let identity = configuration.identity { try use(identity) }
    }

    deinit { unsafe SSL_CTX_free(context) }

    func makeSession() throws(AMQPError) -> OpaquePointer {
        guard let session = unsafe SSL_new(context) else {
            throw AMQPError(.systemResource, "OpenSSL has no memory: \(TLSFault.words)")
        }
        return unsafe session
    }

    private func trust(_ trust: TLSConfiguration.Trust) throws(AMQPError) {
        switch trust {
        case .system:
            guard unsafe SSL_CTX_set_default_verify_paths(context) == 1 else {
                throw AMQPError(
                    .tlsFailed, "the certificates that this system trusts cannot be read: \(TLSFault.words)")
            }
        case .authorities(let file):
            guard unsafe SSL_CTX_load_verify_file(context, file) == 1,
                unsafe actorbus_tls_trust_intermediates(context) == 1
            else {
                throw AMQPError(
                    .tlsFailed,
                    "the certificates of the trusted authorities in '\(file)' cannot be read: \(TLSFault.words)",
                    remedy: "give a file of certificates in PEM")
            }
        }
    }

    private func use(_ identity: TLSConfiguration.Identity) throws(AMQPError) {
        guard unsafe SSL_CTX_use_certificate_chain_file(context, identity.certificateFile) == 1 else {
            throw AMQPError(
                .tlsFailed,
                "the client's certificate in '\(identity.certificateFile)' cannot be read: \(TLSFault.words)",
                remedy: "give a file with the certificate, and behind it those of the authorities in between, in PEM")
        }
        // Without a password of its own OpenSSL would ask for one at the terminal.
        let isRead = unsafe (identity.keyPassword ?? "").withCString { password in
            unsafe SSL_CTX_set_default_passwd_cb_userdata(context, UnsafeMutableRawPointer(mutating: password))
            defer { unsafe SSL_CTX_set_default_passwd_cb_userdata(context, nil) }
            return unsafe SSL_CTX_use_PrivateKey_file(context, identity.keyFile, SSL_FILETYPE_PEM) == 1
        }
        guard isRead else {
            let words = TLSFault.words
            throw AMQPError(
                .tlsFailed, "the client's key in '\(identity.keyFile)' cannot be used: \(words)",
                remedy: "give the key of that certificate in PEM, and its password where it has one")
        }
        guard unsafe SSL_CTX_check_private_key(context) == 1 else {
            throw AMQPError(
                .tlsFailed,
                "the client's key in '\(identity.keyFile)' is not that of the certificate in "
                    + "'\(identity.certificateFile)'")
        }
    }
}
