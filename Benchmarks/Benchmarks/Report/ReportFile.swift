import FoundationEssentials

/// A report as a JSON file.
enum ReportFile {
    static func write(_ report: Report, to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        var data = try encoder.encode(report)
        data.append(UInt8(ascii: "\n"))
        do {
            try data.write(to: URL(filePath: path))
        } catch {
            throw ReportFileError(text: "cannot write the report to \(path): \(error)")
        }
    }

    static func read(_ path: String) throws -> Report {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw ReportFileError(text: "cannot read the report \(path): \(error)")
        }
        let report: Report
        do {
            report = try JSONDecoder().decode(Report.self, from: data)
        } catch {
            throw ReportFileError(text: "\(path) is no report of this benchmark: \(error)")
        }
        guard report.format == Report.currentFormat else {
            throw ReportFileError(
                text: "\(path) has format \(report.format), and this benchmark reads \(Report.currentFormat)")
        }
        return report
    }

    /// The time now, as reports name it.
    static func now() -> String { Date.now.formatted(.iso8601) }
}

struct ReportFileError: Error, CustomStringConvertible {
    let text: String
    var description: String { text }
}
