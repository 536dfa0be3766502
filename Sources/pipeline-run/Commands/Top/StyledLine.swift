/// A line for a terminal: texts and how each looks. Every character is one column wide.
struct StyledLine: Sendable, Equatable {
    enum Style: String, Sendable {
        case plain = ""
        case strong = "1"
        case faint = "2"
        case good = "32"
        case warning = "33"
        case alarm = "1;31"
    }

    private(set) var spans: [(text: String, style: Style)] = []

    init() {}

    init(_ text: String, _ style: Style = .plain) { append(text, style) }

    static func == (left: StyledLine, right: StyledLine) -> Bool {
        left.spans.elementsEqual(right.spans) { $0 == $1 }
    }

    mutating func append(_ text: String, _ style: Style = .plain) {
        if !text.isEmpty { spans.append((text, style)) }
    }

    var text: String { spans.map(\.text).joined() }
    var width: Int { spans.reduce(0) { $0 + $1.text.count } }

    /// The line cut to a width, with a sign that it was.
    func cut(to width: Int) -> StyledLine {
        guard self.width > width else { return self }
        var line = StyledLine()
        var room = max(0, width - 1)
        for (text, style) in spans {
            let part = text.prefix(room)
            line.append(String(part), style)
            room -= part.count
        }
        if width > 0 { line.append("…", .faint) }
        return line
    }

    /// With escape sequences for the styles, or as plain text.
    func rendered(colors: Bool) -> String {
        guard colors else { return text }
        return spans.map { $0.style == .plain ? $0.text : "\u{1b}[\($0.style.rawValue)m\($0.text)\u{1b}[0m" }.joined()
    }
}
