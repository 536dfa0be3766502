import ActorBusTesting
import Logging

/// Takes the services' log lines into the story of a run.
struct StoryLog: LogHandler {
    private let simulated: SimulatedWorld
    private let name: String
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.debug

    init(_ simulated: SimulatedWorld, _ name: String) {
        self.simulated = simulated
        self.name = name
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let connection = metadata["connection"].map { " (\($0))" } ?? ""
        simulated.tell("\(name)\(connection): \(event.level): \(event.message)")
    }
}
