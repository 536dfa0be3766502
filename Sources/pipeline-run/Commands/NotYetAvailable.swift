/// What the contract names and this version does not do.
enum NotYetAvailable {
    /// The commands, and what each will be for.
    static let commands = [
        "topology": "declare, check and export the exchanges and queues",
        "dlq": "list, look at, replay and purge dead letters",
        "doctor": "find out why something does not work",
        "top": "watch the queues",
        "config": "show the configuration in effect",
        "healthcheck": "ask a running service whether it is ready",
        "trace": "follow one order",
    ]

    static func error(_ what: String) -> ConfigurationError {
        ConfigurationError(.environment, "\(what) is not yet available in this version")
    }
}
