/// Columns that line up: the first to the left, the others to the right.
struct Table {
    private var lines: [[String]] = []

    mutating func add(_ cells: [String]) { lines.append(cells) }

    func rendered(indent: String = "  ") -> String {
        let columns = lines.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in
            lines.map { $0.indices.contains(column) ? $0[column].count : 0 }.max() ?? 0
        }
        return lines.map { cells in
            var line = indent
            for (column, cell) in cells.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                line += column == 0 ? cell + padding : "  " + padding + cell
            }
            while line.last == " " { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }
}
