package import Logging

/// The pipeline's swift-log backend: renders an event and writes it as one line.
package struct ServiceLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    package var logLevel: Logger.Level

    private let service: String
    private let output: LogOutput

    package init(service: String, output: LogOutput) {
        self.service = service
        self.output = output
        logLevel = output.level
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        // What is nearer to the event wins: the logger's own, then the task's, then the statement's.
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, nearer in nearer } }
        if let given = event.metadata { all.merge(given) { _, nearer in nearer } }
        if let error = event.error { all["error"] = .string(String(describing: error)) }
        let record = LogRecord(
            time: output.now(),
            level: event.level,
            service: service,
            message: event.message.description,
            metadata: all.sorted { $0.key < $1.key })
        switch output.style {
        case .json: output.writer.write(JSONLogLine.bytes(record))
        case .pretty(let colors): output.writer.write(PrettyLogLine.bytes(record, colors: colors))
        }
    }
}
