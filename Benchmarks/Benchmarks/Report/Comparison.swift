/// A report beside an earlier one.
///
/// Where a group has a baseline, its ratios are compared, which a busier machine shifts less than it shifts the plain
/// figures; elsewhere the medians are. A change within the spread of both reports is none, and single runs have no
/// spread, so that nothing is said of them.
struct Comparison {
    let earlier: Report
    let later: Report

    enum Verdict: String { case better, worse, same = "" }

    func render() -> String {
        var text = "compared with \(earlier.started)  \(earlier.machine.summary)\n"
        if earlier.machine != later.machine { text += "  (another machine: only ratios say something)\n" }
        var table = Table()
        table.add(["", "figure", "earlier", "now", "change", ""])
        for group in later.groups {
            guard let before = earlier.groups.first(where: { $0.key == group.key }) else { continue }
            for row in group.rows {
                guard let old = before.rows.first(where: { $0.contender == row.contender }) else { continue }
                for figure in group.figures {
                    guard let cells = cells(figure, old, row, before, group) else { continue }
                    table.add(["\(group.key) \(row.contender)", figure.heading] + cells)
                }
            }
        }
        return text + table.rendered()
    }

    private func cells(
        _ figure: Figure, _ old: Report.Row, _ new: Report.Row, _ before: Report.Group, _ now: Report.Group
    ) -> [String]? {
        guard let was = old.figures[figure.key], let current = new.figures[figure.key] else { return nil }
        let ratios: (Double, Double)? =
            if let first = before.ratio(old, figure), let second = now.ratio(new, figure) { (first, second) } else {
                nil
            }
        let (first, second) = ratios ?? (was.median, current.median)
        guard first > 0 else { return nil }
        let change = second / first - 1
        var noise = was.spread + current.spread
        if ratios != nil { noise += before.baselineSpread(figure) + now.baselineSpread(figure) }
        let isKnown = min(was.runs, current.runs) > 1
        let verdict = isKnown ? Self.verdict(change, noise: noise, figure.better) : .same
        let digits = ratios == nil ? figure.digits : 2
        let unit = ratios == nil ? "" : "x"
        return [
            Number.text(first, digits: digits) + unit, Number.text(second, digits: digits) + unit,
            (change > 0 ? "+" : "") + Number.percent(change), verdict.rawValue,
        ]
    }

    /// Runs that lie close together by chance say little, so a change below a twentieth is never one.
    static func verdict(_ change: Double, noise: Double, _ better: Figure.Better) -> Verdict {
        guard change.magnitude > max(noise, 0.05) else { return .same }
        return (change > 0) == (better == .higher) ? .better : .worse
    }
}
