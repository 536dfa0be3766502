import ArgumentParser

/// The flags of a run as they were written. `Settings` says what each means.
struct RunOptions: ParsableArguments {
    struct Broker: ParsableArguments {
        @Option(Settings.amqpURL) var amqpURL: String?
        @OptionGroup var tls: TLSOptions
        @Option(Settings.queueType) var queueType: String?
        @Option(Settings.connectAttempts) var connectAttempts: String?
        @Option(Settings.connectDelay) var connectDelay: String?
    }

    struct Simulation: ParsableArguments {
        @Option(Settings.speed) var speed: String?
        @Option(Settings.seed) var seed: String?
        @Option(Settings.maxOrders) var maxOrders: String?
        @Option(Settings.batch) var batch: String?
        @Option(Settings.interval) var interval: String?
        @Option(Settings.paymentTime) var paymentTime: String?
        @Option(Settings.fulfillmentTime) var fulfillmentTime: String?
        @Option(Settings.successRate) var successRate: String?
        @Option(Settings.gatewayOutage) var gatewayOutage: String?
        @Option(Settings.gatewayFailureRate) var gatewayFailureRate: String?
        @Option(Settings.gatewayLateRate) var gatewayLateRate: String?
        @Option(Settings.gatewayTimeout) var gatewayTimeout: String?
    }

    struct Work: ParsableArguments {
        @Option(Settings.replicas) var replicas: String?
        @Option(Settings.concurrency) var concurrency: String?
        @Option(Settings.prefetch) var prefetch: String?
        @Option(Settings.drainTimeout) var drainTimeout: String?
        @Option(Settings.stateDirectory) var stateDirectory: String?
    }

    struct Operations: ParsableArguments {
        @Option(Settings.metricsPort) var metricsPort: String?
        @Option(Settings.metricsBasePort) var metricsBasePort: String?
        @Option(Settings.metricsAddress) var metricsAddress: String?
        @Flag(Settings.dashboard) var dashboard = false
        @Option(Settings.dashboardPort) var dashboardPort: String?
        @Option(Settings.logFormat) var logFormat: String?
        @Option(Settings.logLevel) var logLevel: String?
        @Option(Settings.eventLog) var eventLog: String?
    }

    @OptionGroup(title: "Broker") var broker: Broker
    @OptionGroup(title: "Simulation") var simulation: Simulation
    @OptionGroup(title: "Work") var work: Work
    @OptionGroup(title: "Operations") var operations: Operations
}
