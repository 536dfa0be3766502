/// Columns of fixed widths, of which the least important give way when there is no room for all.
struct TopTable: Sendable {
    struct Column: Sendable {
        let title: String
        let width: Int
        /// The higher, the sooner it gives way; 0 stays.
        let rank: Int
        var isLeft = false
    }

    struct Cell: Sendable {
        let text: String
        var style = StyledLine.Style.plain
    }

    /// A row of cells, or of its first cells and a remark in place of the others.
    struct Row: Sendable {
        var cells: [Cell]
        var remark: Cell?
    }

    let columns: [Column]

    /// The heading and the rows, none wider than `width`.
    func lines(_ rows: [Row], width: Int) -> [StyledLine] {
        let shown = shownColumns(in: width)
        var heading = StyledLine()
        for (place, column) in shown.enumerated() {
            heading.append(padded(columns[column].title, columns[column], isFirst: place == 0), .faint)
        }
        return [heading.cut(to: width)]
            + rows.map { row in
                var line = StyledLine()
                for (place, column) in shown.enumerated() {
                    guard row.cells.indices.contains(column) else { break }
                    let cell = row.cells[column]
                    line.append(padded(cell.text, columns[column], isFirst: place == 0), cell.style)
                }
                if let remark = row.remark { line.append(" " + remark.text, remark.style) }
                return line.cut(to: width)
            }
    }

    /// The columns that there is room for, in their order.
    private func shownColumns(in width: Int) -> [Int] {
        var shown = Array(columns.indices)
        func needed() -> Int { shown.reduce(0) { $0 + columns[$1].width } + max(0, shown.count - 1) }
        while needed() > width, let least = shown.max(by: { columns[$0].rank < columns[$1].rank }),
            columns[least].rank > 0
        {
            shown.removeAll { $0 == least }
        }
        return shown
    }

    private func padded(_ text: String, _ column: Column, isFirst: Bool) -> String {
        let cut = text.count > column.width ? String(text.prefix(column.width - 1)) + "…" : text
        let space = String(repeating: " ", count: column.width - cut.count)
        return (isFirst ? "" : " ") + (column.isLeft ? cut + space : space + cut)
    }
}
