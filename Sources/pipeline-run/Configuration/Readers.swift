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

    /// A number of seconds above zero.
    static let secondsAboveZero: @Sendable (String) throws -> Duration = { text in
        let duration = try seconds(0...86_400)(text)
        guard duration > .zero else {
            throw Unreadable("\(quoted(text)) is out of range: it goes from 0.001 to 86400 seconds")
        }
        return duration
    }

    /// A length of time with its unit.
    static let age: @Sendable (String) throws -> Duration = { text in
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        let digits = text.dropLast()
        guard let unit = text.last.flatMap({ units[$0] }), isDigits(digits) else {
            throw Unreadable("\(quoted(text)) is no length of time, as in 30s, 15m, 2h or 7d")
        }
        guard digits.utf8.count <= 9, let count = Int64(digits) else {
            throw Unreadable("\(quoted(text)) is out of range: the number has nine digits at most")
        }
        return .seconds(count * unit)
    }

    /// A rate.
    static let messagesPerSecond: @Sendable (String) throws -> Double = { text in
        let isPlain = text.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2E }
        guard isPlain, let rate = Double(text) else {
            throw Unreadable("\(quoted(text)) is no number of messages, as in 50 or 0.5")
        }
        guard (0.001...1_000_000).contains(rate) else {
            throw Unreadable("\(quoted(text)) is out of range: it goes from 0.001 to 1000000 messages a second")
        }
        return rate
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
        // Most likely the next flag, where a script's variable was empty.
        guard !text.hasPrefix("-") else {
            throw Unreadable(
                "\(quoted(text)) begins with a dash, as a flag does; for a file of that name write ./ before it")
        }
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
