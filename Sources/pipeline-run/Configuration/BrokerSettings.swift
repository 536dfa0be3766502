import ActorBus
import Pipeline

/// Which broker to use, from `--amqp-url`, `AMQP_URL` and the `RABBITMQ_` variables.
///
/// Nothing here ever writes a password, nor text that may hold one, into a warning or an error.
struct BrokerSettings {
    /// The broker; nil where none is named.
    private(set) var connection: ConnectionConfiguration?
    private(set) var warnings: [String] = []
    /// Where each part came from that is not a default.
    private(set) var origins: [Part: ConfigurationReport.Origin] = [:]

    enum Part: Sendable {
        case hosts, user, password, virtualHost, heartbeat
    }

    private let environment: [String: String]

    /// - Parameters:
    ///   - url: the flag `--amqp-url`.
    ///   - readFile: the contents of a file, at most so many bytes as a password may have.
    init(
        url: String?, environment: [String: String], readFile: (String) throws -> String
    ) throws(ConfigurationError) {
        self.environment = environment
        let given = try Settings.amqpURL.resolve(flag: url, environment)
        if let text = given.value {
            connection = try connection(url: text, origin: given.origin, readFile)
        } else if environment["RABBITMQ_HOST"] != nil || environment["RABBITMQ_PORT"] != nil {
            connection = try connection(ofVariables: readFile)
        }
    }

    /// The broker of a role for which none is named: the one of this machine, with what the variables say beside.
    mutating func localBroker(readFile: (String) throws -> String) throws(ConfigurationError) -> ConnectionConfiguration
    {
        try connection(ofVariables: readFile)
    }

    // MARK: A URL

    private mutating func connection(
        url text: String, origin: Given<String?>.Origin, _ readFile: (String) throws -> String
    ) throws(ConfigurationError) -> ConnectionConfiguration {
        let name = origin == .flag ? Settings.amqpURL.flag : Settings.amqpURL.environment
        let kind: ConfigurationError.Kind = origin == .flag ? .usage : .environment
        if text.lowercased().hasPrefix("amqps:") { throw NotYetAvailable.error("amqps:// (TLS)") }
        let url: BrokerURL
        do {
            url = try BrokerURL(text)
        } catch {
            throw ConfigurationError(kind, "\(name): \(error)")
        }
        if url.isTLS { throw NotYetAvailable.error("amqps:// (TLS)") }
        if origin == .flag, url.password != nil {
            warnings.append(
                "The password in --amqp-url can be seen in the list of processes: give it in RABBITMQ_PASSWORD_FILE or RABBITMQ_PASSWORD"
            )
        }
        for variable in ["RABBITMQ_HOST", "RABBITMQ_PORT", "RABBITMQ_USER", "RABBITMQ_VHOST"]
        where environment[variable] != nil {
            warnings.append("\(variable) is not used, since \(name) names the broker")
        }
        var connection = ConnectionConfiguration(endpoints: url.endpoints)
        origins[.hosts] = .url(name)
        if let user = url.user {
            origins[.user] = .url(name)
            try Self.checkLength(user, "\(name): its user", kind)
            connection.user = user
        }
        if let virtualHost = url.virtualHost {
            origins[.virtualHost] = .url(name)
            try Self.checkLength(virtualHost, "\(name): its virtual host", kind)
            connection.virtualHost = virtualHost
        }
        if let password = url.password {
            connection.password = password
            origins[.password] = .url(name)
            for variable in ["RABBITMQ_PASSWORD", "RABBITMQ_PASSWORD_FILE"] where environment[variable] != nil {
                warnings.append("\(variable) is not used, since \(name) states a password")
            }
        } else if let password = try password(readFile) {
            connection.password = password
        }
        if let heartbeat = url.heartbeat {
            connection.heartbeat = heartbeat
            origins[.heartbeat] = .url(name)
            if environment["RABBITMQ_HEARTBEAT"] != nil {
                warnings.append("RABBITMQ_HEARTBEAT is not used, since \(name) states a heartbeat")
            }
        } else if let heartbeat = try heartbeat() {
            connection.heartbeat = heartbeat
        }
        return connection
    }

    // MARK: Variables

    private mutating func connection(
        ofVariables readFile: (String) throws -> String
    ) throws(ConfigurationError) -> ConnectionConfiguration {
        var connection = ConnectionConfiguration(endpoints: try endpoints())
        note(.hosts, ["RABBITMQ_HOST", "RABBITMQ_PORT"])
        note(.user, ["RABBITMQ_USER"])
        note(.virtualHost, ["RABBITMQ_VHOST"])
        if let user = environment["RABBITMQ_USER"] {
            guard !user.isEmpty else { throw ConfigurationError(.environment, "RABBITMQ_USER: it is empty") }
            try Self.checkLength(user, "RABBITMQ_USER: it", .environment)
            connection.user = user
        }
        if let password = try password(readFile) { connection.password = password }
        if let virtualHost = environment["RABBITMQ_VHOST"] {
            guard !virtualHost.isEmpty else {
                throw ConfigurationError(.environment, "RABBITMQ_VHOST: it is empty; the default virtual host is /")
            }
            try Self.checkLength(virtualHost, "RABBITMQ_VHOST: it", .environment)
            connection.virtualHost = virtualHost
        }
        if let heartbeat = try heartbeat() { connection.heartbeat = heartbeat }
        return connection
    }

    /// AMQP has no room for more in a name, and RabbitMQ none in a user's; better said now than by each attempt to
    /// connect.
    private static func checkLength(
        _ text: String, _ what: String, _ kind: ConfigurationError.Kind
    ) throws(ConfigurationError) {
        guard text.utf8.count <= 255 else {
            throw ConfigurationError(kind, "\(what) has \(text.utf8.count) bytes; 255 is the most")
        }
    }

    /// Notes that a part came from the first of these variables that is set, if any is.
    private mutating func note(_ part: Part, _ variables: [String]) {
        origins[part] = variables.first { environment[$0] != nil }.map { .environment($0) }
    }

    private func endpoints() throws(ConfigurationError) -> [ConnectionConfiguration.Endpoint] {
        let port = try port(environment["RABBITMQ_PORT"]) ?? 5672
        // Somebody put a URL there: it may hold a password, and belongs in AMQP_URL.
        if let hosts = environment["RABBITMQ_HOST"], hosts.contains("@") || hosts.contains("/") {
            throw ConfigurationError(
                .environment, "RABBITMQ_HOST: it takes hosts by comma, as in mq-1,mq-2:5673; a URL belongs in AMQP_URL")
        }
        do {
            return try BrokerURL.endpoints(environment["RABBITMQ_HOST"] ?? "localhost", defaultPort: port)
        } catch {
            // The reader of URLs speaks of a URL, and there is none.
            let prefix = "the AMQP URL cannot be read: "
            let words = error.message.hasPrefix(prefix) ? error.message.dropFirst(prefix.count) : error.message[...]
            throw ConfigurationError(
                .environment, "RABBITMQ_HOST: \(words); it takes hosts by comma, as in mq-1,mq-2:5673")
        }
    }

    private func port(_ text: String?) throws(ConfigurationError) -> UInt16? {
        guard let text else { return nil }
        if text.hasPrefix("tcp://") {
            throw ConfigurationError(
                .environment,
                "RABBITMQ_PORT: \(Readers.quoted(text)) is no port; Kubernetes sets this variable for a Service called rabbitmq: "
                    + "set enableServiceLinks: false in the pod, or RABBITMQ_PORT itself")
        }
        guard Readers.isDigits(text), let port = UInt16(text), port > 0 else {
            throw ConfigurationError(
                .environment, "RABBITMQ_PORT: \(Readers.quoted(text)) is no port, which goes from 1 to 65535")
        }
        return port
    }

    private mutating func heartbeat() throws(ConfigurationError) -> Duration? {
        note(.heartbeat, ["RABBITMQ_HEARTBEAT"])
        guard let text = environment["RABBITMQ_HEARTBEAT"] else { return nil }
        guard Readers.isDigits(text), let seconds = UInt16(text) else {
            throw ConfigurationError(
                .environment,
                "RABBITMQ_HEARTBEAT: \(Readers.quoted(text)) is no whole number of seconds from 0 to 65535")
        }
        return .seconds(Int64(seconds))
    }

    private mutating func password(_ readFile: (String) throws -> String) throws(ConfigurationError) -> String? {
        note(.password, ["RABBITMQ_PASSWORD_FILE", "RABBITMQ_PASSWORD"])
        guard let path = environment["RABBITMQ_PASSWORD_FILE"] else { return environment["RABBITMQ_PASSWORD"] }
        guard environment["RABBITMQ_PASSWORD"] == nil else {
            throw ConfigurationError(
                .environment, "RABBITMQ_PASSWORD and RABBITMQ_PASSWORD_FILE are both set: set one of them")
        }
        var password: String
        do {
            password = try readFile(path)
        } catch {
            throw ConfigurationError(
                .environment, "RABBITMQ_PASSWORD_FILE: \(Readers.quoted(path)) cannot be read: \(error)")
        }
        // Editors and `echo` end a file with a line break, which is no part of the password.
        if password.hasSuffix("\r\n") || password.hasSuffix("\n") { password.removeLast() }
        guard !password.isEmpty else {
            throw ConfigurationError(.environment, "RABBITMQ_PASSWORD_FILE: \(Readers.quoted(path)) is empty")
        }
        return password
    }
}
