/// Collects the figures of runs, in whatever order they come, until they make the rows of a table.
struct Series {
    private var contenders: [String] = []
    private var values: [String: [String: [Double]]] = [:]

    mutating func add(_ figures: [Figure: Double], of contender: String) {
        if !contenders.contains(contender) { contenders.append(contender) }
        for (figure, value) in figures { values[contender, default: [:]][figure.key, default: []].append(value) }
    }

    /// A row for each contender, in the order in which they first came.
    var rows: [Report.Row] {
        contenders.map { contender in
            Report.Row(contender: contender, figures: (values[contender] ?? [:]).compactMapValues(Summary.init))
        }
    }
}
