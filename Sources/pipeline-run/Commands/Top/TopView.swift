import Pipeline

/// The live view: a snapshot laid out for a width and a height. Pure.
enum TopView {
    private static let queueColumns = TopTable(columns: [
        .init(title: "QUEUE", width: 29, rank: 0, isLeft: true), .init(title: "READY", width: 9, rank: 0),
        .init(title: "CHANGE/S", width: 9, rank: 2), .init(title: "CONSUMERS", width: 9, rank: 3),
        .init(title: "DEAD", width: 7, rank: 1), .init(title: "LAST MINUTE", width: 60, rank: 9, isLeft: true),
    ])
    private static let serviceColumns = TopTable(columns: [
        .init(title: "SERVICE", width: 12, rank: 0, isLeft: true),
        .init(title: "STATE", width: 5, rank: 0, isLeft: true),
        .init(title: "RATE/S", width: 7, rank: 0), .init(title: "TOTAL", width: 8, rank: 8),
        .init(title: "MEDIAN", width: 7, rank: 7), .init(title: "95 %", width: 7, rank: 1),
        .init(title: "WORK", width: 5, rank: 2), .init(title: "REDEL", width: 5, rank: 3),
        .init(title: "RECON", width: 5, rank: 4), .init(title: "DEAD", width: 5, rank: 5),
        .init(title: "MEMORY", width: 7, rank: 9),
    ])

    /// At most `height` lines of at most `width` characters. Where there is too little room, what stands last is left
    /// out, empty lines first.
    static func lines(_ snapshot: FlowSnapshot, width: Int, height: Int) -> [StyledLine] {
        let head = [heading(snapshot, width: width)]
        let queues = queueColumns.lines(snapshot.queues.map { row($0, snapshot.broker) }, width: width)
        let services = serviceColumns.lines(snapshot.services.map(row), width: width)
        let long = flow(snapshot, unit: "/s")
        let measured = StyledLine(
            "MEDIAN, 95 %: from the order to what the service did, last minute", .faint)
        let flow = [(long.width <= width ? long : flow(snapshot, unit: "")).cut(to: width), measured.cut(to: width)]
        let parts = [head, queues, services, flow]
        let needed = parts.reduce(0) { $0 + $1.count } + parts.count - 1
        var lines = Array(parts.joined(separator: height >= needed ? [StyledLine()] : []))
        // The rest of the room is for what happened lately.
        if !snapshot.notices.isEmpty, height > lines.count + 1 {
            lines.append(StyledLine())
            lines += snapshot.notices.prefix(height - lines.count).map { notice($0).cut(to: width) }
        }
        return Array(lines.prefix(max(0, height)))
    }

    // MARK: Parts

    private static func heading(_ snapshot: FlowSnapshot, width: Int) -> StyledLine {
        var line = StyledLine("order pipeline", .strong)
        line.append("  \(clock(snapshot.time))  ")
        switch snapshot.broker {
        case .connecting: line.append("connecting to \(snapshot.brokerName)", .faint)
        case .up: line.append("broker up at \(snapshot.brokerName)", .good)
        case .away(let why): line.append("broker away: \(PrintableText.of(why, limit: 200))", .alarm)
        }
        let hint = "  q quits"
        guard line.width + hint.count <= width else { return line.cut(to: width) }
        line.append(String(repeating: " ", count: width - line.width - hint.count))
        line.append(hint, .faint)
        return line
    }

    private static func row(_ queue: FlowSnapshot.Queue, _ broker: FlowSnapshot.BrokerState) -> TopTable.Row {
        guard let ready = queue.ready else {
            let words = broker == .up ? "is missing" : ""
            return .init(cells: [.init(text: queue.queue.rawValue)], remark: .init(text: words, style: .warning))
        }
        let letters = queue.deadLetters ?? 0
        let change = queue.change.map { abs($0) < 0.05 ? "0" : ($0 > 0 ? "+" : "-") + decimal(abs($0)) }
        let nobody = queue.consumers == 0
        return .init(cells: [
            .init(text: queue.queue.rawValue), .init(text: whole(Double(ready)), style: ready > 0 ? .strong : .plain),
            .init(text: change ?? "-", style: (queue.change ?? 0) >= 0.05 ? .warning : .plain),
            .init(text: queue.consumers.map { "\($0)" } ?? "-", style: nobody && ready > 0 ? .alarm : .plain),
            .init(text: queue.deadLetters.map { whole(Double($0)) } ?? "-", style: letters > 0 ? .alarm : .plain),
            .init(text: sparkline(queue.history), style: .faint),
        ])
    }

    private static func row(_ service: FlowSnapshot.Service) -> TopTable.Row {
        let name = TopTable.Cell(text: PrintableText.of(service.name, limit: 80))
        switch service.state {
        case .asking: return .init(cells: [name, .init(text: "…", style: .faint)])
        case .away(let why):
            return .init(
                cells: [name, .init(text: "away", style: .alarm)],
                remark: .init(text: PrintableText.of(why, limit: 200), style: .faint))
        case .up(let figures):
            func count(_ number: Double, _ style: StyledLine.Style) -> TopTable.Cell {
                .init(text: whole(number), style: number > 0 ? style : .plain)
            }
            return .init(cells: [
                name,
                figures.isConnected ? .init(text: "up", style: .good) : .init(text: "cut", style: .alarm),
                .init(text: figures.rate.map(decimal) ?? "-", style: .strong), .init(text: whole(figures.total)),
                .init(text: figures.median.map(time) ?? "-"), .init(text: figures.percentile95.map(time) ?? "-"),
                .init(text: whole(figures.inFlight)), count(figures.redelivered, .warning),
                count(figures.reconnects, .warning), count(figures.deadLettered, .alarm),
                .init(text: figures.memory.map { "\(whole($0 / 1_000_000)) MB" } ?? "-"),
            ])
        }
    }

    private static func flow(_ snapshot: FlowSnapshot, unit: String) -> StyledLine {
        let names: [(ServiceKind, String)] = [
            (.generator, "orders"), (.payment, "payments"), (.fulfillment, "shipments"), (.notification, "notices"),
        ]
        var line = StyledLine()
        for (kind, name) in names {
            if kind != .generator { line.append(kind == .notification ? ", " : " → ", .faint) }
            line.append("\(name) ")
            line.append(snapshot.rate(of: kind).map { decimal($0) + unit } ?? "-", .strong)
        }
        return line
    }

    private static func notice(_ notice: FlowSnapshot.Notice) -> StyledLine {
        var line = StyledLine(clock(notice.time) + "  ", .faint)
        line.append(PrintableText.of(notice.words, limit: 300))
        return line
    }

    // MARK: Numbers

    private static func clock(_ time: Timestamp) -> String { String(time.text.dropFirst(11)) }

    /// A whole number: in thousands up to a million, then shortened. A page may say anything, so nothing is taken for
    /// granted.
    static func whole(_ number: Double) -> String {
        guard number.isFinite, number.magnitude < 1e15 else { return "-" }
        if number < 0 { return "-" + whole(-number) }
        if number >= 999_950_000 { return "\(decimal(number / 1_000_000_000))G" }
        if number >= 999_950 { return "\(decimal(number / 1_000_000))M" }
        let number = Int64(number.rounded())
        return number < 1000
            ? "\(number)" : "\(number / 1000),\(String(1000 + number % 1000).dropFirst())"
    }

    /// A number with one decimal, without it from 100 on.
    static func decimal(_ number: Double) -> String {
        guard number.isFinite else { return "-" }
        if number < 0 { return "-" + decimal(-number) }
        if number.rounded() >= 100 { return whole(number) }
        let tenths = Int64((number * 10).rounded())
        return tenths >= 1000 ? whole(number) : "\(tenths / 10).\(tenths % 10)"
    }

    /// A time in the unit that gives it two or three digits.
    static func time(_ seconds: Double) -> String {
        guard seconds.isFinite else { return "-" }
        if seconds < 0.0995 { return "\(decimal(seconds * 1000)) ms" }
        if seconds < 0.9995 { return "\(Int64((seconds * 1000).rounded())) ms" }
        if seconds < 119.5 { return "\(decimal(seconds)) s" }
        if seconds < 7170 { return "\(whole(seconds / 60)) min" }
        return seconds < 172_800 ? "\(decimal(seconds / 3600)) h" : "\(decimal(seconds / 86_400)) d"
    }

    /// The values as bars, the highest of them being the full one.
    static func sparkline(_ values: [UInt32]) -> String {
        let bars = Array("▁▂▃▄▅▆▇█")
        let most = values.max() ?? 0
        return String(
            values.map { value in
                most == 0 ? bars[0] : bars[Int(UInt64(value) * UInt64(bars.count - 1) / UInt64(most))]
            })
    }

    /// The snapshot in one line, for where there is no terminal.
    static func plainLine(_ snapshot: FlowSnapshot) -> String {
        var parts = [snapshot.time.text]
        switch snapshot.broker {
        case .connecting: parts.append("broker=connecting")
        case .up: parts.append("broker=up")
        case .away: parts.append("broker=away")
        }
        for queue in snapshot.queues {
            parts.append("\(queue.queue.rawValue)=\(queue.ready.map { "\($0)" } ?? "-")")
        }
        let known = snapshot.queues.compactMap(\.deadLetters)
        parts.append("dead_letters=\(known.isEmpty ? "-" : "\(known.reduce(0) { $0 + UInt64($1) })")")
        for kind in ServiceKind.allCases {
            parts.append("\(kind.rawValue)_per_second=\(snapshot.rate(of: kind).map(decimal) ?? "-")")
        }
        let figures = snapshot.figures
        for (name, number) in [
            ("in_flight", figures.reduce(0) { $0 + $1.inFlight }),
            ("redelivered", figures.reduce(0) { $0 + $1.redelivered }),
            ("reconnects", figures.reduce(0) { $0 + $1.reconnects }),
        ] {
            parts.append("\(name)=\(Int64(exactly: number.rounded()).map { "\($0)" } ?? "-")")
        }
        let away = snapshot.services.filter { if case .away = $0.state { true } else { false } }
        if !away.isEmpty {
            parts.append("away=\(away.map { PrintableText.of($0.name, limit: 80) }.joined(separator: ","))")
        }
        return parts.joined(separator: " ")
    }
}
