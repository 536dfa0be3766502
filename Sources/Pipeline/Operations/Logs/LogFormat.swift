package import Logging

/// How log lines look.
package enum LogFormat: String, Sendable, CaseIterable {
    /// `pretty` on a terminal, else `json`.
    case auto
    /// One readable line an event: time, level, service, message, `key=value`.
    case pretty
    /// One JSON object a line.
    case json

    /// The format of this name, in capitals or not.
    package init(parsing text: String) throws(LogSettingError) {
        guard let format = LogFormat(rawValue: text.lowercased()) else {
            throw LogSettingError(what: "log format", found: text, allowed: Self.allCases.map(\.rawValue))
        }
        self = format
    }
}

extension Logger.Level {
    /// The level of this name, in capitals or not.
    package init(parsing text: String) throws(LogSettingError) {
        guard let level = Logger.Level(rawValue: text.lowercased()) else {
            throw LogSettingError(what: "log level", found: text, allowed: Self.allCases.map(\.rawValue))
        }
        self = level
    }

    /// The name in capitals, so that `grep ERROR` finds errors in either format.
    var capitals: String {
        switch self {
        case .trace: "TRACE"
        case .debug: "DEBUG"
        case .info: "INFO"
        case .notice: "NOTICE"
        case .warning: "WARNING"
        case .error: "ERROR"
        case .critical: "CRITICAL"
        }
    }
}

/// A setting of the logs that cannot be read: what it is, what was found, what it can be.
package struct LogSettingError: Error, Sendable, Equatable, CustomStringConvertible {
    package let what: String
    package let found: String
    package let allowed: [String]

    package var description: String {
        "unknown \(what) \"\(PrintableText.of(found, limit: 40))\": use one of \(allowed.joined(separator: ", "))"
    }
}
