/// A report as tables for people.
///
/// A cell is the median of the runs, the spread where there were several, and the ratio to the baseline.
enum ReportText {
    static func render(_ report: Report) -> String {
        var text = "\(report.started)  \(report.machine.summary)\n"
        text +=
            report.versions.sorted { $0.key < $1.key }.map(\.value).joined(separator: "; ") + "\n"
        for group in report.groups { text += "\n" + render(group) + "\n" }
        if !report.notes.isEmpty { text += "\n" + report.notes.joined(separator: "\n") + "\n" }
        return text
    }

    static func render(_ group: Report.Group) -> String {
        var table = Table()
        table.add([group.key] + group.figures.map(\.heading))
        for row in group.rows {
            table.add([row.contender] + group.figures.map { cell(row, $0, in: group) })
        }
        return "\(group.title)\n\(table.rendered())"
    }

    private static func cell(_ row: Report.Row, _ figure: Figure, in group: Report.Group) -> String {
        guard let summary = row.figures[figure.key] else { return "-" }
        var cell = Number.text(summary.median, digits: figure.digits)
        if summary.runs > 1 { cell += " ±\(Number.percent(summary.spread))" }
        if let ratio = group.ratio(row, figure) { cell += " \(Number.text(ratio, digits: 2))x" }
        return cell
    }
}
