/// What is planned, and this version does not do.
enum NotYetAvailable {
    /// The commands, and what each will be for.
    static let commands = [
        "trace": "follow one order"
    ]

    static func error(_ what: String) -> ConfigurationError {
        ConfigurationError(.environment, "\(what) is not yet available in this version")
    }
}
