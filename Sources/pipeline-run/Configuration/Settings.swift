import ActorBus
import ArgumentParser
import Logging
import Pipeline

/// Every setting of a run, once: flag, environment variable, default, range, and what it is for.
enum Settings {
    static let amqpURL = Setting<String?>(
        "amqp-url", environment: "AMQP_URL", "url", standard: nil, shown: nil,
        "The broker: amqp://user@host1,host2:5673/vhost, amqps:// with TLS. The password better comes from RABBITMQ_PASSWORD.",
        read: Readers.text)
    static let tlsAuthoritiesFile = Setting<String?>(
        "tls-ca-file", "file", standard: nil, shown: nil,
        "The authorities whose certificates a broker may show (PEM), instead of those that the system trusts.",
        completion: .file(), read: Readers.text)
    static let tlsCertificateFile = Setting<String?>(
        "tls-certificate-file", "file", standard: nil, shown: nil,
        "The client's certificate, and those of the authorities in between (PEM).", completion: .file(),
        read: Readers.text)
    static let tlsKeyFile = Setting<String?>(
        "tls-key-file", "file", standard: nil, shown: nil,
        "The key of that certificate (PEM), where another file has it.", completion: .file(), read: Readers.text)
    static let tlsServerName = Setting<String?>(
        "tls-server-name", "name", standard: nil, shown: nil,
        "The name that the broker's certificate must be for, where that is not the host.", read: Readers.text)
    static let login = Setting<LoginMechanism?>(
        "auth", "mechanism", standard: nil, shown: "plain",
        "How to log in: plain, amqplain, or external, which takes the user from the client's certificate.",
        completion: .list(["plain", "amqplain", "external"]),
        read: { text in
            guard let mechanism = LoginMechanism(name: text) else {
                throw Unreadable("\(Readers.quoted(text)) is none of plain, amqplain and external")
            }
            return mechanism
        })
    static let connectAttempts = Setting(
        "connect-attempts", "n", standard: 10, shown: "10",
        "How often the first connection is tried.", read: Readers.whole(1...1_000_000))
    static let connectDelay = Setting(
        "connect-delay", "seconds", standard: Duration.seconds(5), shown: "5",
        "The pause between those attempts.", read: Readers.seconds(0...3600))
    /// The same for a command that a person waits for, or a script that may wait by itself.
    static let commandConnectAttempts = Setting(
        "connect-attempts", "n", standard: 1, shown: "1",
        "How often the connection is tried.", read: Readers.whole(1...1_000_000))
    static let queueType = Setting(
        "queue-type", "type", standard: QueueType.classic, shown: "classic",
        "classic, or quorum for queues that a cluster replicates.",
        completion: .list(QueueType.allCases.map(\.rawValue)), read: Readers.word(QueueType.self))

    static let batch = Setting(
        "batch", "a-b", standard: BatchSize.standard, shown: BatchSize.standard.description,
        "Orders at once.", read: { try BatchSize($0) })
    static let interval = Setting(
        "interval", "a-b", standard: SecondsRange.generatorInterval,
        shown: SecondsRange.generatorInterval.description, "Seconds from one batch to the next.",
        read: { try SecondsRange($0) })
    static let maxOrders = Setting<Int64?>(
        "max-orders", "n", standard: nil, shown: nil,
        "End after so many orders of this run; 'all' then waits until each is settled at every stage.",
        read: Readers.whole(Int64(1)...1_000_000_000_000))
    static let paymentTime = Setting(
        "payment-time", "a-b", standard: SecondsRange.paymentTime, shown: SecondsRange.paymentTime.description,
        "Seconds that a payment takes.", read: { try SecondsRange($0) })
    static let fulfillmentTime = Setting(
        "fulfillment-time", "a-b", standard: SecondsRange.fulfillmentTime,
        shown: SecondsRange.fulfillmentTime.description, "Seconds that a shipment takes.",
        read: { try SecondsRange($0) })
    static let successRate = Setting(
        "success-rate", "rate", standard: Share.successRate, shown: Share.successRate.description,
        "The share of payments that succeed, 0 to 1.", read: { try Share($0) })
    static let gatewayOutage = Setting<SecondsRange?>(
        "gateway-outage", "a-b", standard: nil, shown: nil,
        "The payment gateway is unavailable between these seconds after the start.", read: { try SecondsRange($0) })
    static let gatewayFailureRate = Setting(
        "gateway-failure-rate", "rate", standard: Share.none, shown: Share.none.description,
        "The share of calls for which the gateway is unavailable, 0 to 1.", read: { try Share($0) })
    static let gatewayLateRate = Setting(
        "gateway-late-rate", "rate", standard: Share.none, shown: Share.none.description,
        "The share of calls that the gateway answers too late, having charged, 0 to 1.", read: { try Share($0) })
    static let gatewayTimeout = Setting(
        "gateway-timeout", "seconds", standard: GatewayFaults.standardTimeout, shown: "10",
        "How long an answer of the gateway is waited for; --speed does not shorten it.",
        read: Readers.seconds(0...600))
    static let speed = Setting(
        "speed", "x", standard: Speed.real, shown: "1",
        "Divides every simulated wait; max leaves them out.", read: { try Speed($0) })
    static let seed = Setting<UInt64?>(
        "seed", "n", standard: nil, shown: nil,
        "Makes contents and decisions depend on it and the order's number only.", read: Readers.whole(0...UInt64.max))

    static let replicas = Setting(
        "replicas", "service=n", standard: [ServiceKind: Int](), shown: "payment=2 in 'all', else 1",
        "Consumers of a service side by side, each with a connection of its own.", read: Readers.replicas)
    static let concurrency = Setting(
        "concurrency", "n", standard: 1, shown: "1",
        "Messages in work at once, per replica; raises the prefetch.", read: Readers.whole(1...10_000))
    static let prefetch = Setting<UInt16?>(
        "prefetch", "n", standard: nil, shown: "1, or the concurrency",
        "Deliveries that the broker hands out before they are settled.", read: Readers.whole(UInt16(1)...UInt16.max))
    static let drainTimeout = Setting(
        "drain-timeout", "seconds", standard: Duration.seconds(25), shown: "25",
        "How long work in hand may take after a stop signal.", read: Readers.seconds(0...86_400))
    static let stateDirectory = Setting<String?>(
        "state-dir", "folder", standard: nil, shown: "$XDG_STATE_HOME/order-pipeline",
        "Where order numbers, unconfirmed orders and the private broker's data are kept.", completion: .directory,
        read: Readers.text)

    static let metricsPort = Setting<UInt16?>(
        "metrics-port", "port", standard: nil, shown: "8000 to 8003, by service",
        "Where a service shows metrics and health; it takes 0 for any free port.",
        read: Readers.whole(UInt16(0)...UInt16.max))
    static let metricsBasePort = Setting<UInt16?>(
        "metrics-base-port", "port", standard: nil, shown: "8000",
        "The first of the four ports of 'all', which takes 0 for any free ones.",
        read: Readers.whole(UInt16(0)...(UInt16.max - 3)))
    static let metricsAddress = Setting<String?>(
        "metrics-address", "address", standard: nil, shown: "* for every address, and localhost in 'all'",
        "The address of those ports; * and localhost mean IPv4 and IPv6.", read: Readers.text)
    /// A flag without a value, which is as good as true.
    static let dashboard = Setting(
        "dashboard", "", standard: false, shown: nil,
        "Show the run as a web page, for browsers of this machine only; 'all' only.", read: Readers.truth)
    static let dashboardPort = Setting<UInt16?>(
        "dashboard-port", "port", standard: nil, shown: "the metrics base port + 4, so 8004",
        "Where that page is, at 127.0.0.1; 0 for any free port.", read: Readers.whole(UInt16(0)...UInt16.max))
    static let logFormat = Setting(
        "log-format", "format", standard: LogFormat.auto, shown: "auto",
        "pretty, json, or auto: pretty on a terminal.", completion: .list(LogFormat.allCases.map(\.rawValue)),
        read: { try LogFormat(parsing: $0) })
    static let logLevel = Setting(
        "log-level", "level", standard: Logger.Level.info, shown: "info",
        "trace, debug, info, notice, warning, error or critical.",
        completion: .list(Logger.Level.allCases.map(\.rawValue)), read: { try Logger.Level(parsing: $0) })
    static let eventLog = Setting<String?>(
        "event-log", "file", standard: nil, shown: nil, "Not yet available.", read: Readers.text)

    /// The names of all variables that begin with `PIPELINE_` and mean something.
    static let environmentNames: Set<String> = [
        tlsAuthoritiesFile.environment, tlsCertificateFile.environment, tlsKeyFile.environment,
        tlsServerName.environment, login.environment, connectAttempts.environment, connectDelay.environment,
        queueType.environment, batch.environment,
        interval.environment, maxOrders.environment, paymentTime.environment, fulfillmentTime.environment,
        successRate.environment, gatewayOutage.environment, gatewayFailureRate.environment,
        gatewayLateRate.environment, gatewayTimeout.environment, speed.environment, seed.environment,
        replicas.environment, concurrency.environment,
        prefetch.environment, drainTimeout.environment, stateDirectory.environment, metricsPort.environment,
        metricsBasePort.environment, metricsAddress.environment, dashboard.environment, dashboardPort.environment,
        logFormat.environment, logLevel.environment, eventLog.environment, "PIPELINE_REVISION",
    ]
}
