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

    /// What names the broker: the flag or the variable, and the URL, where it is one.
    struct Source {
        let name: String
        let kind: ConfigurationError.Kind
        let url: BrokerURL?
    }

    /// What completing a connection has to tell.
    struct Completion {
        var warnings: [String] = []
        var origins: [BrokerSettings.Part: ConfigurationReport.Origin] = [:]
    }

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

        var origin: ConfigurationReport.Origin { kind == .usage ? .flag(name) : .environment(name) }
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
        if login.value == .external { throw Self.withoutCertificate(login.name, login.kind) }
    }

    /// Completes a connection. What its URL has stated already stays, with a warning.
    func complete(
        _ connection: inout ConnectionConfiguration, of source: Source
    ) throws(ConfigurationError) -> Completion {
        var completion = Completion()
        if source.url?.loginMechanism != nil {
            note(login, .login, isStated: true, source, &completion)
        } else if let mechanism = login.value {
            connection.loginMechanism = mechanism
            note(login, .login, isStated: false, source, &completion)
        }
        guard var tls = connection.tls else {
            try checkUnused()
            if connection.loginMechanism == .external { throw Self.withoutCertificate(source.name, source.kind) }
            return completion
        }
        completion.origins[.tls] = .url(source.name)
        if tls.trust != .system {
            note(authoritiesFile, .authorities, isStated: true, source, &completion)
        } else if let file = authoritiesFile.value {
            tls.trust = .authorities(file: file)
            note(authoritiesFile, .authorities, isStated: false, source, &completion)
        }
        if tls.serverName != nil {
            note(serverName, .serverName, isStated: true, source, &completion)
        } else if let name = serverName.value {
            tls.serverName = name
            note(serverName, .serverName, isStated: false, source, &completion)
        }
        if tls.identity != nil {
            note(certificateFile, .certificate, isStated: true, source, &completion)
            note(keyFile, .key, isStated: true, source, &completion)
        } else if let file = certificateFile.value {
            // A file may hold both.
            tls.identity = .init(certificateFile: file, keyFile: keyFile.value ?? file)
            note(certificateFile, .certificate, isStated: false, source, &completion)
            note(keyFile.value == nil ? certificateFile : keyFile, .key, isStated: false, source, &completion)
        } else if keyFile.value != nil {
            throw ConfigurationError(
                keyFile.kind,
                "\(keyFile.name): there is no certificate that the key would be of; give "
                    + "\(Settings.tlsCertificateFile.flag) too")
        }
        connection.tls = tls
        if connection.loginMechanism == .external, tls.identity == nil {
            let isGiven = source.url?.loginMechanism == nil
            throw Self.withoutCertificate(isGiven ? login.name : source.name, isGiven ? login.kind : source.kind)
        }
        return completion
    }

    /// Notes where a part comes from; what the URL has stated leaves no room for what else was given.
    private func note(
        _ item: Item<some Sendable>, _ part: BrokerSettings.Part, isStated: Bool, _ source: Source,
        _ completion: inout Completion
    ) {
        completion.origins[part] = isStated ? .url(source.name) : item.origin
        guard isStated, item.value != nil else { return }
        completion.warnings.append("\(item.name) is not used, since \(source.name) states its own")
    }

    private static func withoutCertificate(_ name: String, _ kind: ConfigurationError.Kind) -> ConfigurationError {
        ConfigurationError(
            kind,
            "\(name): with 'external' the broker takes the user from a client certificate; name the broker as amqps://, "
                + "and give \(Settings.tlsCertificateFile.flag)")
    }
}
