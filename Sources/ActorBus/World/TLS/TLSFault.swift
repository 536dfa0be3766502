internal import COpenSSL

/// What OpenSSL says of what went wrong last, on the calling thread.
enum TLSFault {
    /// Forgets earlier faults, which would be taken for that of the next call.
    static func forget() { ERR_clear_error() }

    /// The first fault in OpenSSL's words.
    static var words: String {
        let code = ERR_get_error()
        defer { forget() }
        guard code != 0 else { return "OpenSSL does not say why" }
        // Of what the system refused there is no reason, but an error number.
        if let reason = unsafe ERR_reason_error_string(code) { return unsafe String(cString: reason) }
        return Socket.text(CInt(truncatingIfNeeded: code & 0x7FFF_FFFF))
    }

    /// The first fault, as one of a handshake or a record.
    static var error: AMQPError {
        let code = ERR_peek_error()
        let reason = CInt(truncatingIfNeeded: code & 0x7F_FFFF)
        let words = words
        switch reason {
        case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
            return AMQPError(
                .tlsFailed, "the broker asks for a client certificate", remedy: "give a certificate and its key")
        case 1000 + SSL3_AD_HANDSHAKE_FAILURE:
            return AMQPError(
                .tlsFailed, "the broker refused the TLS handshake (\(words))",
                remedy:
                    "give a client certificate if the broker asks for one, and check the TLS versions that it allows")
        case 1000 + TLS1_AD_UNKNOWN_CA, 1000 + SSL3_AD_BAD_CERTIFICATE, 1000 + SSL3_AD_CERTIFICATE_EXPIRED,
            1000 + SSL3_AD_CERTIFICATE_UNKNOWN, 1000 + SSL3_AD_CERTIFICATE_REVOKED,
            1000 + SSL3_AD_UNSUPPORTED_CERTIFICATE:
            return AMQPError(
                .tlsFailed, "the broker refused the client's certificate (\(words))",
                remedy: "use one that is valid and issued by an authority that the broker trusts (its cacertfile)")
        case SSL_R_UNSUPPORTED_PROTOCOL, 1000 + TLS1_AD_PROTOCOL_VERSION:
            return AMQPError(
                .tlsFailed, "the broker allows neither TLS 1.2 nor 1.3 (\(words))",
                remedy: "allow one of them in its ssl_options.versions")
        // Nothing that a certificate or a file could mend.
        default: return AMQPError(.connectionLost, "TLS broke off: \(words)")
        }
    }
}
