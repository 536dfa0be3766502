import ArgumentParser

/// Where a report goes: a table to standard output, always, and what is asked for beside it.
struct ReportOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Also write the figures to this file, as JSON.", valueName: "file"))
    var json: String?

    @Option(help: ArgumentHelp("Compare with an earlier file that --json wrote.", valueName: "file"))
    var compare: String?

    /// Reads the earlier report, before anything is measured: a file that cannot be read is not to be found out after
    /// minutes.
    func earlier() throws -> Report? { try compare.map(ReportFile.read) }

    func publish(_ report: Report, earlier: Report?) throws {
        print(ReportText.render(report))
        if let earlier { print(Comparison(earlier: earlier, later: report).render()) }
        if let json { try ReportFile.write(report, to: json) }
    }
}
