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
    private let authoritiesFile: Item<String>
    private let certificateFile: Item<String>
    private let keyFile: Item<String>
    private let serverName: Item<String>
    private let login: Item<LoginMechanism>

    /// A value that was given, with the name it was given by.
    private struct Item<Value: Sendable> {
        let value: Value?
        let name: String
        let kind: ConfigurationError.Kind

        init(
            _ setting: Setting<Value?>, _ flag: String?, _ environment: [String: String]
        ) throws(ConfigurationError) {
            let given = try setting.resolve(flag: flag, environment)
            value = given.value
            name = given.origin == .flag ? setting.flag : setting.environment
            kind = given.origin == .flag ? .usage : .environment
        }
    }

    init(_ options: TLSOptions, _ environment: [String: String]) throws(ConfigurationError) {
        authoritiesFile = try Item(Settings.tlsAuthoritiesFile, options.authoritiesFile, environment)
        certificateFile = try Item(Settings.tlsCertificateFile, options.certificateFile, environment)
        keyFile = try Item(Settings.tlsKeyFile, options.keyFile, environment)
        serverName = try Item(Settings.tlsServerName, options.serverName, environment)
        login = try Item(Settings.login, options.login, environment)
    }

    /// Refuses what was given, for a connection without TLS: who gave it expects a connection that nobody can read.
    func checkUnused() throws(ConfigurationError) {
        for item in [authoritiesFile, certificateFile, keyFile, serverName] where item.value != nil {
            throw ConfigurationError(
                item.kind, "\(item.name): the broker is not named with TLS; name it by a URL, as in amqps://user@host")
        }
        if login.value == .external { throw withoutCertificate }
    }

    /// Completes a connection. What its URL, of that name, has stated already stays, with a warning.
    func apply(
        to connection: inout ConnectionConfiguration, of url: BrokerURL?, named name: String
    ) throws(ConfigurationError) -> [String] {
        var warnings: [String] = []
        func isFree(_ given: Item<some Sendable>, _ stated: Bool) -> Bool {
            guard given.value != nil else { return false }
            if stated { warnings.append("\(given.name) is not used, since \(name) states the same") }
            return !stated
        }
        if let value = login.value, isFree(login, url?.loginMechanism != nil) { connection.loginMechanism = value }
        guard var tls = connection.tls else {
            try checkUnused()
            if connection.loginMechanism == .external { throw withoutCertificate }
            return warnings
        }
        if let file = authoritiesFile.value, isFree(authoritiesFile, tls.trust != .system) {
            tls.trust = .authorities(file: file)
        }
        if let name = serverName.value, isFree(serverName, tls.serverName != nil) { tls.serverName = name }
        if let file = certificateFile.value {
            // A file may hold both.
            if isFree(certificateFile, tls.identity != nil) {
                tls.identity = .init(certificateFile: file, keyFile: keyFile.value ?? file)
            }
        } else if keyFile.value != nil, isFree(keyFile, tls.identity != nil) {
            throw ConfigurationError(
                keyFile.kind,
                "\(keyFile.name): there is no certificate that the key would be of; give \(Settings.tlsCertificateFile.flag) too"
            )
        }
        connection.tls = tls
        if connection.loginMechanism == .external, tls.identity == nil { throw withoutCertificate }
        return warnings
    }

    private var withoutCertificate: ConfigurationError {
        ConfigurationError(
            login.value == nil ? .environment : login.kind,
            "\(login.value == nil ? "the AMQP URL" : login.name): with 'external' the broker takes the user from a client "
                + "certificate; name the broker as amqps://, and give \(Settings.tlsCertificateFile.flag)")
    }
}
