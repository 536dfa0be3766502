import ArgumentParser
import Pipeline

/// `config`: what a run with these flags and this environment would go by.
struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Shows the settings in effect and where each came from.",
        discussion: """
            Takes the flags of a run. What a run would refuse is refused here too, with the same exit code. Passwords \
            are never shown.
            """)

    @Argument(help: "all, generator, payment, fulfillment or notification.") var service: RunTarget = .all
    @Flag(help: "One JSON object a line.") var json = false
    @OptionGroup var options: RunOptions

    func run() async throws {
        await OperatorCommand.run { [self] in
            let report = try ConfigurationReport(
                service, options, environment: ProcessEnvironment.variables(), readFile: ProcessEnvironment.readFile)
            for warning in report.warnings { OperatorCommand.note(warning) }
            if json {
                for row in report.rows { OperatorCommand.print(Self.json(row)) }
            } else {
                for line in Self.table(report.rows) { OperatorCommand.print(line) }
            }
            return 0
        }
    }

    static func table(_ rows: [ConfigurationReport.Row]) -> [String] {
        TextTable.lines(
            rows.map { row in
                let origin = [row.origin.kind, row.origin.name].compactMap { $0 }.joined(separator: " ")
                return [row.setting, PrintableText.of(row.value ?? "-", limit: 200), origin]
            })
    }

    static func json(_ row: ConfigurationReport.Row) -> String {
        var json = JSONWriter(capacity: 128, isForTerminal: true)
        json.beginObject()
        json.name("setting")
        json.string(row.setting)
        json.name("value")
        json.string(row.value)
        json.name("origin")
        json.string(row.origin.kind)
        json.name("from")
        json.string(row.origin.name)
        json.endObject()
        return String(decoding: json.bytes, as: UTF8.self)
    }
}
