import ActorBus
import ActorBusTesting
import Logging

/// Takes the library's log lines into the story of a run, and notices those that tell of a fault of its own.
struct RunLog: LogHandler {
    let run: Run
    let client: Int
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.debug

    /// What a broker says, and what the library says of a broker, where one of the two broke the protocol.
    private static let faults = [
        "unknown delivery tag", "UNEXPECTED_FRAME", "CHANNEL_ERROR", "COMMAND_INVALID", "FRAME_ERROR", "SYNTAX_ERROR",
        "INTERNAL_ERROR", "NOT_IMPLEMENTED", "NOT_ALLOWED", "nothing was asked for", "which is not open",
        "which is not the next one", "which was never published", "an answer to something else",
    ].map { Array($0.utf8) }

    init(_ run: Run, client: Int) {
        self.run = run
        self.client = client
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let words = "\(event.message)"
        run.simulated.tell("client \(client): \(event.level): \(words)")
        let bytes = Array(words.utf8)
        if Self.faults.contains(where: bytes.holds) { run.find("a breach of the protocol: \(words)") }
    }
}

extension [UInt8] {
    /// Whether a text is in this one. Texts as such are compared by what Unicode takes for a character, at ten times the cost.
    fileprivate func holds(_ text: [UInt8]) -> Bool {
        guard count >= text.count else { return false }
        return (0...count - text.count).contains { start in
            self[start] == text[0] && self[start..<start + text.count].elementsEqual(text)
        }
    }
}
