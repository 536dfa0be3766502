import ActorBus
import Logging
import Pipeline

/// What is run: one service, or all of them.
enum RunTarget: Sendable, Equatable {
    case all
    case role(ServiceKind)

    var commandName: String {
        switch self {
        case .all: "all"
        case .role(let kind): kind.rawValue
        }
    }

    var services: [ServiceKind] {
        switch self {
        case .all: ServiceKind.allCases
        case .role(let kind): [kind]
        }
    }
}

/// Everything that a run needs to know, read and checked.
struct RunConfiguration: Sendable {
    let target: RunTarget
    /// The broker; nil for a private one.
    let broker: ConnectionConfiguration?
    let connectAttempts: Int
    let connectDelay: Duration
    let queueType: QueueType
    let plan: GeneratorPlan
    let decisions: Decisions
    let paymentPace: Pace
    let gatewayFaults: GatewayFaults
    let fulfillmentPace: Pace
    let intake: Intake
    let drainTimeout: Duration
    let stateDirectory: String?
    let metricsAddress: String
    /// The port of the dashboard, 0 for any that is free; nil for no dashboard.
    let dashboardPort: UInt16?
    let logFormat: LogFormat
    let logLevel: Logger.Level
    /// What the user should know and need not act on.
    let warnings: [String]

    private let replicas: [ServiceKind: Int]
    /// The port of the first service; 0 for any free ones.
    private let firstPort: UInt16

    /// Consumers of a service side by side.
    func replicas(of service: ServiceKind) -> Int {
        replicas[service] ?? (target == .all && service == .payment ? 2 : 1)
    }

    /// Where a service shows its metrics; 0 for any free port.
    func metricsPort(of service: ServiceKind) -> UInt16 {
        guard firstPort > 0, target == .all else { return firstPort }
        return firstPort + service.portOffset
    }

    /// Reads the options and the environment, and checks that they go together.
    init(
        _ target: RunTarget, _ options: RunOptions, environment: [String: String],
        readFile: @escaping BrokerSettings.FileReader
    ) throws(ConfigurationError) {
        self.target = target
        let (broker, simulation, work, operations) = (
            options.broker, options.simulation, options.work, options.operations
        )
        var warnings = Self.unknownVariables(environment)

        // Simulation
        let speed = try Settings.speed.resolve(flag: simulation.speed, environment).value
        let seed = try Settings.seed.resolve(flag: simulation.seed, environment).value
        let batch = try Settings.batch.resolve(flag: simulation.batch, environment).value
        let interval = try Settings.interval.resolve(flag: simulation.interval, environment).value
        let maxOrders = try Settings.maxOrders.resolve(flag: simulation.maxOrders, environment)
        let paymentTime = try Settings.paymentTime.resolve(flag: simulation.paymentTime, environment)
        let fulfillmentTime = try Settings.fulfillmentTime.resolve(flag: simulation.fulfillmentTime, environment)
        let successRate = try Settings.successRate.resolve(flag: simulation.successRate, environment).value
        try Self.checkMaxOrders(maxOrders, target)
        plan = GeneratorPlan(batch: batch, pace: Pace(interval, speed: speed), seed: seed, maximum: maxOrders.value)
        decisions = Decisions(seed: seed, successRate: successRate.value)
        paymentPace = try Self.pace(paymentTime, speed, Settings.paymentTime)
        gatewayFaults = GatewayFaults(
            outage: try Settings.gatewayOutage.resolve(flag: simulation.gatewayOutage, environment).value,
            failureRate: try Settings.gatewayFailureRate.resolve(flag: simulation.gatewayFailureRate, environment)
                .value,
            lateRate: try Settings.gatewayLateRate.resolve(flag: simulation.gatewayLateRate, environment).value,
            timeout: try Settings.gatewayTimeout.resolve(flag: simulation.gatewayTimeout, environment).value)
        fulfillmentPace = try Self.pace(fulfillmentTime, speed, Settings.fulfillmentTime)

        // Work
        let replicas = try Settings.replicas.resolve(flag: work.replicas, environment)
        try Self.checkReplicas(replicas, target)
        self.replicas = replicas.value
        intake = try Self.intake(work, environment)
        drainTimeout = try Settings.drainTimeout.resolve(flag: work.drainTimeout, environment).value
        stateDirectory = try Settings.stateDirectory.resolve(flag: work.stateDirectory, environment).value

        // Broker
        var brokerSettings = try BrokerSettings(
            url: broker.amqpURL, tls: broker.tls, environment: environment, readFile: readFile)
        if case .role = target, brokerSettings.connection == nil {
            self.broker = try brokerSettings.localBroker()
        } else {
            self.broker = brokerSettings.connection
        }
        warnings += brokerSettings.warnings
        if self.broker == nil { warnings += Self.variablesWithoutBroker(environment) }
        connectAttempts = try Settings.connectAttempts.resolve(flag: broker.connectAttempts, environment).value
        connectDelay = try Settings.connectDelay.resolve(flag: broker.connectDelay, environment).value
        queueType = try Settings.queueType.resolve(flag: broker.queueType, environment).value

        // Operations
        firstPort = try Self.firstPort(operations.metricsPort, operations.metricsBasePort, environment, target)
        metricsAddress =
            try Settings.metricsAddress.resolve(flag: operations.metricsAddress, environment).value
            ?? (target == .all ? "localhost" : "*")
        dashboardPort = try Self.dashboardPort(operations, environment, target, firstPort)
        logFormat = try Settings.logFormat.resolve(flag: operations.logFormat, environment).value
        logLevel = try Settings.logLevel.resolve(flag: operations.logLevel, environment).value
        let eventLog = try Settings.eventLog.resolve(flag: operations.eventLog, environment)
        if eventLog.isGiven { throw NotYetAvailable.error(eventLog.name) }
        self.warnings = warnings
    }

    /// The broker to connect to, with the settings that hold for every broker.
    func connection(to broker: ConnectionConfiguration) -> ConnectionConfiguration {
        var connection = broker
        connection.connectAttempts = connectAttempts
        connection.connectDelay = connectDelay
        return connection
    }
}

// MARK: Checks

extension RunConfiguration {
    /// A message that takes longer is taken from its handler, and would never be done (`AMQPConnection.process`).
    private static let longestWork = Duration.seconds(1_200)

    private static func kind(_ origins: Bool...) -> ConfigurationError.Kind {
        origins.contains(true) ? .usage : .environment
    }

    private static func unknownVariables(_ environment: [String: String]) -> [String] {
        environment.keys.sorted()
            .filter { $0.hasPrefix("PIPELINE_") && !Settings.environmentNames.contains($0) }
            .map { "\(PrintableText.of($0, limit: 60)) is no setting of this program and has no effect" }
    }

    private static func variablesWithoutBroker(_ environment: [String: String]) -> [String] {
        ["RABBITMQ_USER", "RABBITMQ_PASSWORD", "RABBITMQ_PASSWORD_FILE", "RABBITMQ_VHOST", "RABBITMQ_HEARTBEAT"]
            .filter { environment[$0] != nil }
            .map { "\($0) is not used: no broker is named (AMQP_URL or RABBITMQ_HOST), so a private one is started" }
    }

    /// A variable may be set for a whole fleet, a flag is meant for this command.
    private static func checkMaxOrders(_ maxOrders: Given<Int64?>, _ target: RunTarget) throws(ConfigurationError) {
        switch target {
        case .all, .role(.generator): return
        case .role(let kind) where maxOrders.origin == .flag:
            throw ConfigurationError(
                .usage,
                "--max-orders belongs to 'all' and 'generator': '\(kind.rawValue)' makes no orders and runs until it is stopped"
            )
        case .role: return
        }
    }

    private static func checkReplicas(
        _ replicas: Given<[ServiceKind: Int]>, _ target: RunTarget
    ) throws(ConfigurationError) {
        guard case .role(let kind) = target, replicas.origin == .flag else { return }
        for other in replicas.value.keys.map(\.rawValue).sorted() where other != kind.rawValue {
            throw ConfigurationError(
                .usage, "--replicas names \(other), but '\(kind.rawValue)' runs \(kind.rawValue) only")
        }
    }

    private static func pace(
        _ range: Given<SecondsRange>, _ speed: Speed, _ setting: Setting<SecondsRange>
    ) throws(ConfigurationError) -> Pace {
        let longest = speed.real(milliseconds: range.value.milliseconds.upperBound)
        guard longest <= longestWork else {
            throw ConfigurationError(
                kind(range.origin != .environment),
                "\(range.origin == .environment ? setting.environment : setting.flag) \(range.value) at speed \(speed) takes longer "
                    + "than \(longestWork): RabbitMQ takes a message away that is not acknowledged for 30 minutes; "
                    + "give a shorter time or a higher --speed")
        }
        return Pace(range.value, speed: speed)
    }

    private static func intake(
        _ work: RunOptions.Work, _ environment: [String: String]
    ) throws(ConfigurationError) -> Intake {
        let concurrency = try Settings.concurrency.resolve(flag: work.concurrency, environment)
        let prefetch = try Settings.prefetch.resolve(flag: work.prefetch, environment)
        if let given = prefetch.value, Int(given) < concurrency.value {
            throw ConfigurationError(
                kind(prefetch.origin == .flag, concurrency.origin == .flag),
                "\(concurrency.name) \(concurrency.value) with \(prefetch.name) \(given): "
                    + "no more than the prefetch can be in work; raise the prefetch or leave it out")
        }
        return Intake(
            prefetch: prefetch.value ?? UInt16(clamping: concurrency.value), concurrency: concurrency.value)
    }

    /// A variable may be set for a whole fleet; only 'all' heeds it.
    private static func dashboardPort(
        _ operations: RunOptions.Operations, _ environment: [String: String], _ target: RunTarget, _ firstPort: UInt16
    ) throws(ConfigurationError) -> UInt16? {
        let isWanted = try Settings.dashboard.resolve(flag: operations.dashboard ? "true" : nil, environment)
        let port = try Settings.dashboardPort.resolve(flag: operations.dashboardPort, environment)
        if case .role(let kind) = target {
            guard isWanted.origin != .flag, port.origin != .flag else {
                let flag = isWanted.origin == .flag ? Settings.dashboard.flag : Settings.dashboardPort.flag
                throw ConfigurationError(
                    .usage, "\(flag) belongs to 'all', which has the whole flow: leave it out for '\(kind.rawValue)'")
            }
            return nil
        }
        guard isWanted.value else {
            if port.origin == .flag {
                throw ConfigurationError(.usage, "--dashboard-port says where; without --dashboard there is none")
            }
            return nil
        }
        if let given = port.value { return given }
        guard firstPort > 0 else { return 0 }
        guard firstPort <= UInt16.max - 4 else {
            throw ConfigurationError(
                kind(isWanted.origin == .flag),
                "no port is left for the dashboard after those from \(firstPort) on: give one with --dashboard-port")
        }
        return firstPort + 4
    }

    /// The port of a role, or the first of those of 'all'.
    static func firstPort(
        _ metricsPort: String?, _ metricsBasePort: String?, _ environment: [String: String], _ target: RunTarget
    ) throws(ConfigurationError) -> UInt16 {
        let single = try Settings.metricsPort.resolve(flag: metricsPort, environment)
        let base = try Settings.metricsBasePort.resolve(flag: metricsBasePort, environment)
        switch target {
        case .all:
            if single.origin == .flag {
                throw ConfigurationError(
                    .usage,
                    "--metrics-port belongs to a single service: 'all' takes --metrics-base-port N, for N to N+3")
            }
            return base.value ?? 8000
        case .role(let kind):
            if base.origin == .flag {
                throw ConfigurationError(
                    .usage, "--metrics-base-port belongs to 'all': '\(kind.rawValue)' takes --metrics-port")
            }
            return single.value ?? 8000 + kind.portOffset
        }
    }
}
