/// All that a benchmark found: what the JSON file holds and the tables show.
struct Report: Codable, Sendable {
    /// Of the file; another means that its figures cannot be compared.
    static let currentFormat = 1

    /// A table: contenders at the same work.
    struct Group: Codable, Sendable {
        /// The key in the JSON report, and the choice on the command line.
        var key: String
        /// What the work is, in a few words.
        var title: String
        /// The columns, in their order.
        var figures: [Figure]
        /// Whose figures the ratios are taken to; nil for no ratios.
        var baseline: String?
        var rows: [Row]
    }

    /// A contender's figures, by the figure's key.
    struct Row: Codable, Sendable {
        var contender: String
        var figures: [String: Summary]
    }

    var format = Report.currentFormat
    /// RFC 3339.
    var started: String
    var machine: Machine
    /// Of the contenders and of the broker, with their own names in them.
    var versions: [String: String]
    var groups: [Group]
    /// What a reader of the tables should know.
    var notes: [String]
}

extension Report.Group {
    /// A contender's median over the baseline's; nil where one of them has none, or for the baseline itself.
    func ratio(_ row: Report.Row, _ figure: Figure) -> Double? {
        guard let baseline, row.contender != baseline,
            let base = rows.first(where: { $0.contender == baseline })?.figures[figure.key]?.median, base > 0,
            let own = row.figures[figure.key]?.median
        else { return nil }
        return own / base
    }

    /// How far the baseline's runs lie apart, which its ratios inherit.
    func baselineSpread(_ figure: Figure) -> Double {
        rows.first { $0.contender == baseline }?.figures[figure.key]?.spread ?? 0
    }
}
