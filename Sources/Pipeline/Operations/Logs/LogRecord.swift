import Logging

/// One event as both formats show it.
struct LogRecord {
    let time: Timestamp
    let level: Logger.Level
    let service: String
    let message: String
    /// Sorted by key, so that equal events look equal.
    let metadata: [(key: String, value: Logger.Metadata.Value)]

    /// A message longer than this is cut; a log is no place for whole bodies.
    static let longestText = 8192
}

extension Timestamp {
    /// RFC 3339 in UTC with milliseconds: `2026-01-07T10:30:00.123Z`.
    var textWithMilliseconds: String {
        let thousandths = milliseconds - seconds * 1000
        let digits = String(thousandths)
        let padding = String(repeating: "0", count: max(0, 3 - digits.utf8.count))
        return "\(text.dropLast()).\(padding)\(digits)Z"
    }
}
