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
        case hosts, user, password, virtualHost, heartbeat, tls, authorities, certificate, key, serverName, login
    }

    private var tls: TLSSettings
    private let environment: [String: String]
    private let readFile: FileReader

    /// Gives the contents of a file, at most so many bytes as a password may have. Kept, since the file of the password is
    /// read again at each connect.
    typealias FileReader = @Sendable (String) throws -> String

    /// - Parameter url: the flag `--amqp-url`.
    init(
        url: String?, tls: TLSOptions, environment: [String: String], readFile: @escaping FileReader
    ) throws(ConfigurationError) {
        self.tls = try TLSSettings(tls, environment)
        self.environment = environment
        self.readFile = readFile
        let given = try Settings.amqpURL.resolve(flag: url, environment)
        if let text = given.value {
            connection = try connection(url: text, given)
        } else if environment["RABBITMQ_HOST"] != nil || environment["RABBITMQ_PORT"] != nil {
            connection = try connectionOfVariables()
        } else {
            try self.tls.checkUnused()
        }
    }

    /// The broker of a role for which none is named: the one of this machine, with what the variables say beside.
    mutating func localBroker() throws(ConfigurationError) -> ConnectionConfiguration {
        try connectionOfVariables()
    }

    // MARK: A URL

    private mutating func connection(
        url text: String, _ given: Given<String?>
    ) throws(ConfigurationError) -> ConnectionConfiguration {
        let (name, kind) = (given.name, given.faultKind)
        let url: BrokerURL
        var connection: ConnectionConfiguration
        do {
            url = try BrokerURL(text)
            connection = ConnectionConfiguration(url: url)
        } catch {
            throw ConfigurationError(kind, "\(name): \(error)")
        }
        warnings += url.warnings.map { "\(name): \($0)" }
        if given.origin == .flag, url.password != nil || url.tls?.identity?.keyPassword != nil {
            warnings.append(
                "The password in --amqp-url can be seen in the list of processes: give it in RABBITMQ_PASSWORD_FILE or RABBITMQ_PASSWORD"
            )
        }
        for variable in ["RABBITMQ_HOST", "RABBITMQ_PORT", "RABBITMQ_USER", "RABBITMQ_VHOST"]
        where environment[variable] != nil {
            warnings.append("\(variable) is not used, since \(name) names the broker")
        }
        origins[.hosts] = .url(name)
        if let user = url.user {
            origins[.user] = .url(name)
            try Self.checkLength(user, "\(name): its user", kind)
        }
        if let virtualHost = url.virtualHost {
            origins[.virtualHost] = .url(name)
            try Self.checkLength(virtualHost, "\(name): its virtual host", kind)
        }
        if url.password != nil {
            origins[.password] = .url(name)
            for variable in ["RABBITMQ_PASSWORD", "RABBITMQ_PASSWORD_FILE"] where environment[variable] != nil {
                warnings.append("\(variable) is not used, since \(name) states a password")
            }
        } else {
            try setPassword(of: &connection)
        }
        if url.heartbeat != nil {
            origins[.heartbeat] = .url(name)
            if environment["RABBITMQ_HEARTBEAT"] != nil {
                warnings.append("RABBITMQ_HEARTBEAT is not used, since \(name) states a heartbeat")
            }
        } else if let heartbeat = try heartbeat() {
            connection.heartbeat = heartbeat
        }
        try completeTLS(of: &connection, TLSSettings.Source(name: name, kind: kind, url: url))
        try checkLogin(of: connection, "\(name): ", kind)
        return connection
    }

    // MARK: Variables

    private mutating func connectionOfVariables() throws(ConfigurationError) -> ConnectionConfiguration {
        var connection = ConnectionConfiguration(endpoints: try endpoints())
        note(.hosts, ["RABBITMQ_HOST", "RABBITMQ_PORT"])
        note(.user, ["RABBITMQ_USER"])
        note(.virtualHost, ["RABBITMQ_VHOST"])
        if let user = try text(of: "RABBITMQ_USER") {
            guard !user.isEmpty else { throw ConfigurationError(.environment, "RABBITMQ_USER: it is empty") }
            try Self.checkLength(user, "RABBITMQ_USER: it", .environment)
            connection.user = user
        }
        try setPassword(of: &connection)
        if let virtualHost = try text(of: "RABBITMQ_VHOST") {
            guard !virtualHost.isEmpty else {
                throw ConfigurationError(.environment, "RABBITMQ_VHOST: it is empty; the default virtual host is /")
            }
            try Self.checkLength(virtualHost, "RABBITMQ_VHOST: it", .environment)
            connection.virtualHost = virtualHost
        }
        if let heartbeat = try heartbeat() { connection.heartbeat = heartbeat }
        try completeTLS(
            of: &connection, TLSSettings.Source(name: "RABBITMQ_HOST", kind: .environment, url: nil))
        try checkLogin(of: connection, "", .environment)
        return connection
    }

    /// The text of a variable without the line break or byte order mark that a file or a shell left at its ends.
    private func text(of variable: String) throws(ConfigurationError) -> String? {
        guard let text = environment[variable] else { return nil }
        return try Self.line(text, "\(variable): it")
    }

    /// A text of one line, without line breaks and byte order marks at its ends. `what` begins the error's sentence.
    private static func line(_ text: String, _ what: String) throws(ConfigurationError) -> String {
        var scalars = text.unicodeScalars[...]
        func isNoPart(_ scalar: Unicode.Scalar?) -> Bool {
            scalar == "\n" || scalar == "\r" || scalar == "\u{FEFF}"
        }
        while isNoPart(scalars.first) { scalars.removeFirst() }
        while isNoPart(scalars.last) { scalars.removeLast() }
        guard !scalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F || $0 == "\u{FEFF}" }) else {
            throw ConfigurationError(
                .environment, "\(what) has a line break or another control character in it; write it on one line")
        }
        return String(scalars)
    }

    private mutating func completeTLS(
        of connection: inout ConnectionConfiguration, _ source: TLSSettings.Source
    ) throws(ConfigurationError) {
        let completion = try tls.complete(&connection, of: source)
        warnings += completion.warnings
        origins.merge(completion.origins) { $1 }
    }

    /// Better said now than by each attempt to connect.
    private func checkLogin(
        of connection: ConnectionConfiguration, _ prefix: String, _ kind: ConfigurationError.Kind
    ) throws(ConfigurationError) {
        do {
            try connection.checkLogin()
        } catch {
            throw ConfigurationError(kind, "\(prefix)\(error)")
        }
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
        let port = try port(try text(of: "RABBITMQ_PORT")) ?? 5672
        // Somebody put a URL there: it may hold a password, and belongs in AMQP_URL.
        let hosts = try text(of: "RABBITMQ_HOST")
        if let hosts, hosts.contains("@") || hosts.contains("/") {
            throw ConfigurationError(
                .environment, "RABBITMQ_HOST: it takes hosts by comma, as in mq-1,mq-2:5673; a URL belongs in AMQP_URL")
        }
        do {
            return try BrokerURL.endpoints(hosts ?? "localhost", defaultPort: port)
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
        guard let text = try text(of: "RABBITMQ_HEARTBEAT") else { return nil }
        guard Readers.isDigits(text), let seconds = UInt16(text) else {
            throw ConfigurationError(
                .environment,
                "RABBITMQ_HEARTBEAT: \(Readers.quoted(text)) is no whole number of seconds from 0 to 65535")
        }
        return .seconds(Int64(seconds))
    }

    private mutating func setPassword(of connection: inout ConnectionConfiguration) throws(ConfigurationError) {
        note(.password, ["RABBITMQ_PASSWORD_FILE", "RABBITMQ_PASSWORD"])
        guard let path = environment["RABBITMQ_PASSWORD_FILE"] else {
            if let password = try text(of: "RABBITMQ_PASSWORD") { connection.password = password }
            return
        }
        guard environment["RABBITMQ_PASSWORD"] == nil else {
            throw ConfigurationError(
                .environment, "RABBITMQ_PASSWORD and RABBITMQ_PASSWORD_FILE are both set: set one of them")
        }
        connection.password = try Self.password(in: path, readFile)
        // At each connect, since the file may have changed with the password.
        connection.passwordSource = { [readFile] in try Self.password(in: path, readFile) }
    }

    private static func password(in path: String, _ readFile: FileReader) throws(ConfigurationError) -> String {
        let name = "RABBITMQ_PASSWORD_FILE: \(Readers.quoted(path))"
        let text: String
        do {
            text = try readFile(path)
        } catch {
            throw ConfigurationError(.environment, "\(name) cannot be read: \(error)")
        }
        let password = try line(text, name)
        guard !password.isEmpty else { throw ConfigurationError(.environment, "\(name) is empty") }
        return password
    }
}
