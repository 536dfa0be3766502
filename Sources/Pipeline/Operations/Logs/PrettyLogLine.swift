import Logging

/// An event as a line for a person: `10:30:00.123 INFO     payment       message key=value`.
enum PrettyLogLine {
    /// Levels and the four services' names stand in columns.
    private static let levelWidth = 8
    private static let serviceWidth = 12

    /// SGR parameters, ECMA-48 section 8.3.117.
    private enum Color: String {
        case red = "31"
        case green = "32"
        case yellow = "33"
        case blue = "34"
        case magenta = "35"
        case cyan = "36"
        case faint = "2"
        case alarm = "1;31"
    }

    static func bytes(_ record: LogRecord, colors: Bool) -> [UInt8] {
        // The date is left out: who looks at a terminal knows it.
        let time = String(record.time.textWithMilliseconds.dropFirst("2026-01-07T".utf8.count).dropLast())
        let level = padded(record.level.capitals, to: levelWidth)
        let service = padded(PrintableText.of(record.service, limit: 40), to: serviceWidth)
        var line = paint(time, .faint, colors) + " " + paint(level, color(of: record.level), colors) + " "
        line += paint(service, color(of: record.service), colors) + " "
        line += PrintableText.of(record.message, limit: LogRecord.longestText)
        for (key, value) in record.metadata {
            line += " " + paint(PrintableText.of(key, limit: 80) + "=", .faint, colors) + shown(value)
        }
        return Array((line + "\n").utf8)
    }

    /// A value, in quotes where it would not read as one word.
    private static func shown(_ value: Logger.Metadata.Value) -> String {
        let text = PrintableText.of(value.description, limit: LogRecord.longestText)
        guard text.isEmpty || text.contains(where: { $0 == " " || $0 == "\"" || $0 == "=" }) else { return text }
        var quoted = "\""
        for character in text {
            if character == "\"" { quoted += "\\" }
            quoted.append(character)
        }
        return quoted + "\""
    }

    private static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func paint(_ text: String, _ color: Color?, _ colors: Bool) -> String {
        guard colors, let color else { return text }
        return "\u{1b}[\(color.rawValue)m\(text)\u{1b}[0m"
    }

    private static func color(of level: Logger.Level) -> Color? {
        switch level {
        case .trace, .debug: .faint
        case .info: nil
        case .notice: .cyan
        case .warning: .yellow
        case .error: .red
        case .critical: .alarm
        }
    }

    /// The four services have a colour of their own; whatever else logs shares one.
    private static func color(of service: String) -> Color {
        switch service {
        case "generator": .cyan
        case "payment": .green
        case "fulfillment": .yellow
        case "notification": .magenta
        default: .blue
        }
    }
}
