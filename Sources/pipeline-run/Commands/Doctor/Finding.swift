import Pipeline

/// What one check found.
struct Finding: Sendable, Equatable {
    enum Mark: Sendable, Equatable {
        case good
        /// Works, and may be worth a look.
        case warning
        /// Does not work; the exit code that a run would end with.
        case bad(status: Int32)
        /// Could not be looked at, because of an earlier finding.
        case skipped
    }

    let mark: Mark
    let subject: String
    /// What was found.
    let words: String
    /// What to do about it.
    let remedy: String?

    private init(_ mark: Mark, _ subject: String, _ words: String, remedy: String?) {
        self.mark = mark
        self.subject = subject
        self.words = words
        self.remedy = remedy
    }

    static func good(_ subject: String, _ words: String) -> Finding { Finding(.good, subject, words, remedy: nil) }

    static func warning(_ subject: String, _ words: String, remedy: String? = nil) -> Finding {
        Finding(.warning, subject, words, remedy: remedy)
    }

    static func bad(_ subject: String, _ words: String, remedy: String? = nil, status: Int32) -> Finding {
        Finding(.bad(status: status), subject, words, remedy: remedy)
    }

    /// An error that says itself what to do.
    static func bad(_ subject: String, _ error: any Error) -> Finding {
        Finding(.bad(status: ExitStatus.of(error)), subject, ErrorText.of(error), remedy: nil)
    }

    static func skipped(_ subject: String, _ why: String) -> Finding { Finding(.skipped, subject, why, remedy: nil) }

    /// A line for a person, without its line break.
    func text(colors: Bool) -> String {
        let (sign, color) =
            switch mark {
            case .good: ("✓", "32")
            case .warning: ("!", "33")
            case .bad: ("✗", "1;31")
            case .skipped: ("-", "2")
            }
        let mark = colors ? "\u{1b}[\(color)m\(sign)\u{1b}[0m" : sign
        let name = subject + String(repeating: " ", count: max(0, 16 - subject.count))
        let advice = remedy.map { "; \($0)" } ?? ""
        return "\(mark) \(name) \(PrintableText.of(words + advice, limit: 1000))"
    }
}

extension [Finding] {
    /// The exit code of the first that is bad; 0 when none is.
    var status: Int32 {
        for finding in self { if case .bad(let status) = finding.mark { return status } }
        return 0
    }
}
