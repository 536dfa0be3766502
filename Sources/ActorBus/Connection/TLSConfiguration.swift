/// How a connection is encrypted, and what a broker has to show for itself (RabbitMQ, "TLS Support"): TLS 1.2 or 1.3.
///
/// A broker is trusted when its certificate is valid now, was issued by an authority that is trusted, and is for the
/// host that was asked for. Files are read again at each attempt to connect, so that a certificate that was renewed is
/// found without a new start.
public struct TLSConfiguration: Sendable, Equatable {
    /// Whose certificates are trusted.
    public enum Trust: Sendable, Equatable {
        /// What the system trusts (OpenSSL's default, which `SSL_CERT_FILE` and `SSL_CERT_DIR` change).
        case system
        /// The authorities whose certificates stand in a file (PEM), and no others.
        case authorities(file: String)
    }

    /// What a client shows for itself, where a broker asks for it.
    public struct Identity: Sendable, Equatable {
        /// The client's certificate, and behind it those of the authorities in between (PEM).
        public var certificateFile: String
        /// Its private key (PEM).
        public var keyFile: String
        /// What the key is encrypted with. Never printed or logged.
        public var keyPassword: String?

        public init(certificateFile: String, keyFile: String, keyPassword: String? = nil) {
            self.certificateFile = certificateFile
            self.keyFile = keyFile
            self.keyPassword = keyPassword
        }
    }

    public var trust = Trust.system
    public var identity: Identity?
    /// The name that the broker's certificate must be for, and that the broker is told (SNI, RFC 6066); nil for the host
    /// of each endpoint. An IP address is looked for among the certificate's addresses, and is not told.
    public var serverName: String?
    /// Accepts any certificate of anybody, who can then read the password and every message. Only for a look at a broker
    /// whose certificate is broken.
    public var dangerouslyAcceptsAnyCertificate = false

    public init(trust: Trust = .system, identity: Identity? = nil, serverName: String? = nil) {
        self.trust = trust
        self.identity = identity
        self.serverName = serverName
    }
}

extension TLSConfiguration.Identity: CustomStringConvertible, CustomReflectable {
    public var description: String { "\(certificateFile) with the key in \(keyFile)" }

    /// Nothing but the description, so that `dump` shows no password either.
    public var customMirror: Mirror { Mirror(self, children: ["files": description]) }
}

extension TLSConfiguration: CustomStringConvertible {
    /// What is trusted and shown, without any secret.
    public var description: String {
        var words: [String] = []
        switch trust {
        case _ where dangerouslyAcceptsAnyCertificate: words.append("any certificate is accepted")
        case .system: words.append("verified against what the system trusts")
        case .authorities(let file): words.append("verified against the authorities in \(file)")
        }
        if let serverName { words.append("for the name \(serverName)") }
        if let identity { words.append("as the client of \(identity)") }
        return words.joined(separator: ", ")
    }
}
