import ActorBus
import ArgumentParser

/// The flags that say how a connection is encrypted and how its client logs in. `Settings` says what each means.
struct TLSOptions: ParsableArguments {
    @Option(Settings.tlsAuthoritiesFile) var authoritiesFile: String?
    @Option(Settings.tlsCertificateFile) var certificateFile: String?
    @Option(Settings.tlsKeyFile) var keyFile: String?
    @Option(Settings.tlsServerName) var serverName: String?
    @Option(Settings.login) var login: String?
}

/// What those flags and the environment come to.
struct TLSSettings {
    private let authoritiesFile: Given<String?>
    private let certificateFile: Given<String?>
    private let keyFile: Given<String?>
    private let serverName: Given<String?>
    private let login: Given<LoginMechanism?>

    /// What names the broker: the flag or the variable, and the URL, where it is one.
    struct Source {
        let name: String
        let kind: ConfigurationError.Kind
        let url: BrokerURL?
    }

    /// What completing a connection has to tell.
    struct Completion {
        fileprivate let source: Source
        private(set) var warnings: [String] = []
        fileprivate(set) var origins: [BrokerSettings.Part: ConfigurationReport.Origin] = [:]

        fileprivate init(of source: Source) { self.source = source }

        /// The value for a part; nil where none was given, or the URL states one.
        fileprivate mutating func take<Value>(
            _ given: Given<Value?>, _ part: BrokerSettings.Part, isStated: Bool
        ) -> Value? {
            if isStated {
                origins[part] = .url(source.name)
                if given.isGiven { warnings.append("\(given.name) is not used, since \(source.name) states its own") }
                return nil
            }
            origins[part] = .init(given)
            return given.value
        }
    }

    init(_ options: TLSOptions, _ environment: [String: String]) throws(ConfigurationError) {
        authoritiesFile = try Settings.tlsAuthoritiesFile.resolve(flag: options.authoritiesFile, environment)
        certificateFile = try Settings.tlsCertificateFile.resolve(flag: options.certificateFile, environment)
        keyFile = try Settings.tlsKeyFile.resolve(flag: options.keyFile, environment)
        serverName = try Settings.tlsServerName.resolve(flag: options.serverName, environment)
        login = try Settings.login.resolve(flag: options.login, environment)
    }

    /// Refuses what was given, for a connection without TLS: who gave it expects a connection that nobody can read.
    func checkUnused() throws(ConfigurationError) {
        for given in [authoritiesFile, certificateFile, keyFile, serverName] where given.isGiven {
            throw ConfigurationError(
                given.faultKind,
                "\(given.name): the broker is not named with TLS; name it by a URL, as in amqps://user@host")
        }
        if login.value == .external { throw Self.withoutCertificate(login.name, login.faultKind) }
    }

    /// Completes a connection. What its URL has stated already stays, with a warning.
    func complete(
        _ connection: inout ConnectionConfiguration, of source: Source
    ) throws(ConfigurationError) -> Completion {
        var completion = Completion(of: source)
        let isLoginStated = source.url?.loginMechanism != nil
        if let mechanism = completion.take(login, .login, isStated: isLoginStated) {
            connection.loginMechanism = mechanism
        }
        if var tls = connection.tls {
            try complete(&tls, &completion)
            connection.tls = tls
        } else {
            try checkUnused()
        }
        if connection.loginMechanism == .external, connection.tls?.identity == nil {
            throw isLoginStated
                ? Self.withoutCertificate(source.name, source.kind)
                : Self.withoutCertificate(login.name, login.faultKind)
        }
        return completion
    }

    private func complete(
        _ tls: inout TLSConfiguration, _ completion: inout Completion
    ) throws(ConfigurationError) {
        completion.origins[.tls] = .url(completion.source.name)
        if let file = completion.take(authoritiesFile, .authorities, isStated: tls.trust != .system) {
            tls.trust = .authorities(file: file)
        }
        if let name = completion.take(serverName, .serverName, isStated: tls.serverName != nil) {
            tls.serverName = name
        }
        let isStated = tls.identity != nil
        let certificate = completion.take(certificateFile, .certificate, isStated: isStated)
        let key = completion.take(keyFile, .key, isStated: isStated)
        if let certificate {
            // A file may hold both.
            tls.identity = .init(certificateFile: certificate, keyFile: key ?? certificate)
            if key == nil { completion.origins[.key] = completion.origins[.certificate] }
        } else if key != nil {
            throw ConfigurationError(
                keyFile.faultKind,
                "\(keyFile.name): there is no certificate that the key would be of; give "
                    + "\(Settings.tlsCertificateFile.flag) too")
        }
    }

    private static func withoutCertificate(_ name: String, _ kind: ConfigurationError.Kind) -> ConfigurationError {
        ConfigurationError(
            kind,
            "\(name): with 'external' the broker takes the user from a client certificate; name the broker as amqps://, "
                + "and give \(Settings.tlsCertificateFile.flag)")
    }
}
