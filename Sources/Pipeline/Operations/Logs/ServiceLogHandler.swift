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
        output.writer.write(bytes(of: record)) { [self] lost in
            bytes(
                of: LogRecord(
                    time: record.time, level: .warning, service: service,
                    message: "\(lost) lines are missing here: they were not read in time", metadata: []))
        }
    }

    private func bytes(of record: LogRecord) -> [UInt8] {
        switch output.style {
        case .json: JSONLogLine.bytes(record)
        case .pretty(let colors): PrettyLogLine.bytes(record, colors: colors)
        }
    }
}
