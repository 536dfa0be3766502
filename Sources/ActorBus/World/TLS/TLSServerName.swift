internal import COpenSSL

/// What the broker's certificate has to be for.
struct TLSServerName {
    /// As it is looked for, without the full stop that a complete name may end with.
    let name: String

    init(_ name: String) { self.name = name.hasSuffix(".") ? String(name.dropLast()) : name }

    /// Makes a session demand it, and tell the broker, where it is a name. Throws ``AMQPError/Code/invalidConfiguration``.
    func demand(of session: OpaquePointer) throws(AMQPError) {
        let unusable = AMQPError(.invalidConfiguration, "'\(name)' is no name that a certificate can be for")
        // OpenSSL takes a leading dot to mean any subdomain, and an empty name any host.
        guard !name.isEmpty, !name.hasPrefix("."), !name.utf8.contains(0) else { throw unusable }
        let parameters = unsafe SSL_get0_param(session)
        if unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1 { return }
        TLSFault.forget()
        // Names stand in subjectAltName; a subject is no name of a host (RFC 9525).
        unsafe X509_VERIFY_PARAM_set_hostflags(
            parameters, CUnsignedInt(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        guard unsafe X509_VERIFY_PARAM_set1_host(parameters, name, name.utf8.count) == 1,
            unsafe actorbus_tls_name_server(session, name) == 1
        else { throw unusable }
    }

    /// Why a certificate was not accepted.
    func refusal(verdict: Int) -> AMQPError {
        let (words, remedy): (String, String) =
            switch CInt(clamping: verdict) {
            case X509_V_ERR_CERT_HAS_EXPIRED:
                ("has expired, or that of its authority has", "renew it, or check this machine's clock")
            case X509_V_ERR_CERT_NOT_YET_VALID:
                (
                    "is not valid yet, or that of its authority is not",
                    "check this machine's clock, and the certificates"
                )
            case X509_V_ERR_HOSTNAME_MISMATCH:
                (
                    "is not for the host '\(name)'",
                    "use a name that its subjectAltName has, or say which name to expect"
                )
            case X509_V_ERR_IP_ADDRESS_MISMATCH:
                (
                    "is not for the address \(name)",
                    "use a host name that its subjectAltName has, or say which name to expect"
                )
            case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
                ("is signed by itself, and not trusted", "give the file of it as that of a trusted authority")
            case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
                X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
                (
                    "was issued by an authority that is not trusted",
                    "give the file of that authority's certificate, or have the system trust it (ca-certificates)"
                )
            default:
                (
                    "was not accepted: " + (unsafe String(cString: X509_verify_cert_error_string(verdict))),
                    "see what the broker's certificate says (openssl s_client)"
                )
            }
        return AMQPError(.tlsFailed, "the broker's certificate \(words)", remedy: remedy)
    }
}
