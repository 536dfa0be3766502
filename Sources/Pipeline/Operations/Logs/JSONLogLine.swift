import Logging

/// An event as one line of JSON.
///
/// More is escaped than JSON asks for: what could move a cursor or turn text around is no risk then on a terminal that
/// shows the raw lines.
enum JSONLogLine {
    /// The members that every line has; metadata of the same name gets an underscore, since a name may occur only once.
    private static let reserved: Set<String> = ["time", "level", "service", "message"]

    static func bytes(_ record: LogRecord) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(256)
        append("{\"time\":\"\(record.time.textWithMilliseconds)\",\"level\":\"\(record.level.capitals)\"", to: &line)
        append(",\"service\":", to: &line)
        append(string: record.service, to: &line)
        append(",\"message\":", to: &line)
        append(string: record.message, to: &line)
        for (key, value) in record.metadata {
            append(",", to: &line)
            append(string: reserved.contains(key) ? key + "_" : key, to: &line)
            append(":", to: &line)
            append(value, to: &line)
        }
        append("}\n", to: &line)
        return line
    }

    private static func append(_ text: String, to line: inout [UInt8]) {
        line.append(contentsOf: text.utf8)
    }

    private static func append(_ value: Logger.Metadata.Value, to line: inout [UInt8]) {
        switch value {
        case .string(let text):
            append(string: text, to: &line)
        case .stringConvertible(let value):
            switch value {
            case let number as any BinaryInteger: append(String(describing: number), to: &line)
            case let flag as Bool: append(flag ? "true" : "false", to: &line)
            case let number as Double where number.isFinite: append(number.description, to: &line)
            default: append(string: value.description, to: &line)
            }
        case .array(let values):
            append("[", to: &line)
            for (index, value) in values.enumerated() {
                if index > 0 { append(",", to: &line) }
                append(value, to: &line)
            }
            append("]", to: &line)
        case .dictionary(let members):
            append("{", to: &line)
            for (index, (key, value)) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { append(",", to: &line) }
                append(string: key, to: &line)
                append(":", to: &line)
                append(value, to: &line)
            }
            append("}", to: &line)
        }
    }

    private static func append(string: String, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        var count = 0
        for scalar in string.unicodeScalars {
            if count == LogRecord.longestText {
                append("…", to: &line)
                break
            }
            count += 1
            switch scalar {
            case "\"": append("\\\"", to: &line)
            case "\\": append("\\\\", to: &line)
            case "\n": append("\\n", to: &line)
            case "\r": append("\\r", to: &line)
            case "\t": append("\\t", to: &line)
            case _ where PrintableText.isHazardous(scalar):
                // All of these lie in the first plane, so four digits do.
                let digits = String(scalar.value, radix: 16)
                append("\\u" + String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits, to: &line)
            case _ where scalar.isASCII: line.append(UInt8(truncatingIfNeeded: scalar.value))
            default: line.append(contentsOf: String(scalar).utf8)
            }
        }
        line.append(UInt8(ascii: "\""))
    }
}
