import Foundation
import Logging

/// Writes to the log of the test that made the logger; to standard error when none did.
struct TestLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info
    private let label: String
    private let log = TestLog.current

    private init(_ label: String) { self.label = label }

    /// Once a process, before the first logger that shall write there.
    static func install() { installed }
    private static let installed: Void = LoggingSystem.bootstrap { TestLogHandler($0) }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        let fields = all.map { " \($0.key)=\($0.value)" }.joined()
        let error = event.error.map { " error=\($0)" } ?? ""
        let line = "\(event.level) \(label): \(event.message)\(fields)\(error)"
        if let log = TestLog.current ?? log {
            log.note(line)
        } else {
            FileHandle.standardError.write(Data((line + "\n").utf8))
        }
    }
}
