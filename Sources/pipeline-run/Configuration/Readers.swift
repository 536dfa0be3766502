import Pipeline

/// How the values of settings are read, beside those that the pipeline's own types read.
enum Readers {
    /// A whole number of a range.
    static func whole<Number: FixedWidthInteger & Sendable>(
        _ range: ClosedRange<Number>
    ) -> @Sendable (String) throws -> Number {
        { text in
            guard isDigits(text) else {
                throw Unreadable("\(quoted(text)) is no whole number, as in \(range.lowerBound)")
            }
            guard let number = Number(text), range.contains(number) else {
                throw Unreadable(
                    "\(quoted(text)) is out of range: it goes from \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
    }

    /// A number of seconds with at most three decimals.
    static func seconds(_ range: ClosedRange<Int64>) -> @Sendable (String) throws -> Duration {
        { text in
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            guard let first = parts.first, parts.count <= 2, isDigits(first), parts.count == 1 || isDigits(parts[1]),
                parts.count == 1 || parts[1].utf8.count <= 3
            else { throw Unreadable("\(quoted(text)) is no number of seconds, as in 25 or 0.5") }
            let decimals = parts.count == 2 ? String(parts[1]) : ""
            let thousandths = Int64(decimals + String(repeating: "0", count: 3 - decimals.utf8.count)) ?? 0
            guard let whole = Int64(first), whole <= range.upperBound,
                case let milliseconds = whole * 1000 + thousandths,
                milliseconds >= range.lowerBound * 1000, milliseconds <= range.upperBound * 1000
            else {
                throw Unreadable(
                    "\(quoted(text)) is out of range: it goes from \(range.lowerBound) to \(range.upperBound) seconds")
            }
            return .milliseconds(milliseconds)
        }
    }

    /// One of a few words.
    static func word<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
        _ type: Choice.Type
    ) -> @Sendable (String) throws -> Choice {
        { text in
            guard let choice = Choice(rawValue: text) else {
                let words = Choice.allCases.map(\.rawValue).joined(separator: ", ")
                throw Unreadable("\(quoted(text)) is none of \(words)")
            }
            return choice
        }
    }

    /// Yes or no.
    static let truth: @Sendable (String) throws -> Bool = { text in
        switch text {
        case "true": true
        case "false": false
        default: throw Unreadable("\(quoted(text)) is neither true nor false")
        }
    }

    /// Any text but none.
    static let text: @Sendable (String) throws -> String? = { text in
        guard !text.isEmpty else { throw Unreadable("it is empty") }
        return text
    }

    /// `payment=2`, or several by comma.
    static let replicas: @Sendable (String) throws -> [ServiceKind: Int] = { text in
        var replicas: [ServiceKind: Int] = [:]
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2, let service = ServiceKind(rawValue: String(sides[0])) else {
                throw Unreadable("\(quoted(String(part))) names no service and number, as in payment=2")
            }
            guard service != .generator else {
                throw Unreadable("there is one generator, since one count numbers the orders; leave it out")
            }
            guard replicas[service] == nil else { throw Unreadable("\(service.rawValue) is named twice") }
            replicas[service] = try whole(1...64)(String(sides[1]))
        }
        return replicas
    }

    static func quoted(_ text: String) -> String { "\"\(PrintableText.of(text, limit: 60))\"" }

    static func isDigits(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (48...57).contains($0) }
    }
}
