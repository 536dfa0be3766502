import ActorBus
import Logging
import Pipeline

/// The configuration in effect, and where each value came from. Holds no secret.
struct ConfigurationReport: Sendable {
    enum Origin: Sendable, Equatable {
        case flag(String)
        case environment(String)
        /// A part of a URL that a flag or a variable gives.
        case url(String)
        case standard

        init(_ given: Given<some Sendable>) {
            self =
                switch given.origin {
                case .flag: .flag(given.name)
                case .environment: .environment(given.name)
                case .standard: .standard
                }
        }

        var kind: String {
            switch self {
            case .flag: "flag"
            case .environment: "environment"
            case .url: "URL"
            case .standard: "default"
            }
        }

        /// The flag or the variable; nil for a default.
        var name: String? {
            switch self {
            case .flag(let name), .environment(let name), .url(let name): name
            case .standard: nil
            }
        }
    }

    struct Row: Sendable, Equatable {
        let setting: String
        /// Nil where there is none.
        let value: String?
        let origin: Origin
    }

    private(set) var rows: [Row] = []
    let warnings: [String]

    private static let hidden = "(hidden)"

    /// Checks everything as a run does, and throws what a run would.
    init(
        _ target: RunTarget, _ options: RunOptions, environment: [String: String],
        readFile: @escaping BrokerSettings.FileReader
    ) throws(ConfigurationError) {
        let run = try RunConfiguration(target, options, environment: environment, readFile: readFile)
        warnings = run.warnings
        let (broker, simulation, work, operations) = (
            options.broker, options.simulation, options.work, options.operations
        )
        var rows: [Row] = []
        func add<Value>(
            _ setting: Setting<Value>, _ flag: String?, _ text: (Value) -> String?
        ) throws(ConfigurationError) {
            let given = try setting.resolve(flag: flag, environment)
            rows.append(Row(setting: setting.name, value: text(given.value), origin: Origin(given)))
        }

        rows += try Self.broker(run, broker, environment, readFile)
        try add(Settings.connectAttempts, broker.connectAttempts) { "\($0)" }
        try add(Settings.connectDelay, broker.connectDelay, DurationText.seconds)
        try add(Settings.queueType, broker.queueType) { $0.rawValue }

        try add(Settings.speed, simulation.speed) { "\($0)" }
        try add(Settings.seed, simulation.seed) { $0.map { "\($0)" } }
        try add(Settings.maxOrders, simulation.maxOrders) { $0.map { "\($0)" } }
        try add(Settings.batch, simulation.batch) { "\($0)" }
        try add(Settings.interval, simulation.interval) { "\($0)" }
        try add(Settings.paymentTime, simulation.paymentTime) { "\($0)" }
        try add(Settings.fulfillmentTime, simulation.fulfillmentTime) { "\($0)" }
        try add(Settings.successRate, simulation.successRate) { "\($0)" }
        try add(Settings.gatewayOutage, simulation.gatewayOutage) { $0.map { "\($0)" } }
        try add(Settings.gatewayFailureRate, simulation.gatewayFailureRate) { "\($0)" }
        try add(Settings.gatewayLateRate, simulation.gatewayLateRate) { "\($0)" }
        try add(Settings.gatewayTimeout, simulation.gatewayTimeout, DurationText.seconds)

        try add(Settings.replicas, work.replicas) { _ in
            target.services.filter { $0 != .generator }.map { "\($0.rawValue)=\(run.replicas(of: $0))" }
                .joined(separator: ",")
        }
        try add(Settings.concurrency, work.concurrency) { "\($0)" }
        try add(Settings.prefetch, work.prefetch) { _ in "\(run.intake.prefetch)" }
        try add(Settings.drainTimeout, work.drainTimeout, DurationText.seconds)
        try add(Settings.stateDirectory, work.stateDirectory) { given in
            given ?? (try? StateDirectory.resolve(flag: nil, environment: environment))?.path
        }

        if target == .all {
            try add(Settings.metricsBasePort, operations.metricsBasePort) { _ in
                "\(run.metricsPort(of: .generator))"
            }
        } else {
            try add(Settings.metricsPort, operations.metricsPort) { _ in
                target.services.first.map { "\(run.metricsPort(of: $0))" }
            }
        }
        try add(Settings.metricsAddress, operations.metricsAddress) { _ in run.metricsAddress }
        if target == .all {
            try add(Settings.dashboard, operations.dashboard ? "true" : nil) { "\($0)" }
            try add(Settings.dashboardPort, operations.dashboardPort) { given in
                (run.dashboardPort ?? given).map { "\($0)" }
            }
        }
        try add(Settings.logFormat, operations.logFormat) { $0.rawValue }
        try add(Settings.logLevel, operations.logLevel) { $0.rawValue }
        self.rows = rows
    }

    private static func broker(
        _ run: RunConfiguration, _ options: RunOptions.Broker, _ environment: [String: String],
        _ readFile: @escaping BrokerSettings.FileReader
    ) throws(ConfigurationError) -> [Row] {
        guard let broker = run.broker else {
            return [Row(setting: "broker", value: "a private RabbitMQ, started with the run", origin: .standard)]
        }
        var settings = try BrokerSettings(
            url: options.amqpURL, tls: options.tls, environment: environment, readFile: readFile)
        if settings.connection == nil { _ = try settings.localBroker() }
        func row(_ name: String, _ value: String?, _ part: BrokerSettings.Part) -> Row {
            Row(setting: name, value: value, origin: settings.origins[part] ?? .standard)
        }
        let tls = broker.tls
        let authorities: String? = if case .authorities(let file)? = tls?.trust { file } else { nil }
        return [
            row("hosts", broker.endpoints.map(\.description).joined(separator: ","), .hosts),
            row("user", broker.user, .user),
            row("password", hidden, .password),
            row("virtual-host", broker.virtualHost, .virtualHost),
            row("heartbeat", DurationText.seconds(broker.heartbeat), .heartbeat),
            row(
                "tls", tls.map { $0.dangerouslyAcceptsAnyCertificate ? "any certificate" : "verified" } ?? "none", .tls),
            row(Settings.tlsAuthoritiesFile.name, authorities, .authorities),
            row(Settings.tlsCertificateFile.name, tls?.identity?.certificateFile, .certificate),
            row(Settings.tlsKeyFile.name, tls?.identity?.keyFile, .key),
            row(Settings.tlsServerName.name, tls?.serverName, .serverName),
            row(Settings.login.name, "\(broker.loginMechanism)", .login),
        ]
    }
}
