import Foundation

/// What a `/metrics` page shows, read back.
struct Exposition: Sendable {
    struct Series: Hashable, Sendable {
        let name: String
        let labels: [String: String]
    }

    let text: String
    let values: [Series: Double]
    /// The families' types, by name.
    let types: [String: String]

    init(_ text: String) throws {
        self.text = text
        var values: [Series: Double] = [:]
        var types: [String: String] = [:]
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ")
                if words.count == 4 { types[String(words[2])] = String(words[3]) }
            }
            if line.hasPrefix("#") { continue }
            guard let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...]) else {
                throw Overdue("no series: \(line)")
            }
            values[try Self.series(line[..<space])] = value
        }
        self.values = values
        self.types = types
    }

    /// A value; nil when the series is not shown.
    subscript(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        values[Series(name: name, labels: labels)]
    }

    /// Every label set of a name.
    func labels(of name: String) -> Set<[String: String]> {
        Set(values.keys.filter { $0.name == name }.map(\.labels))
    }

    private static func series(_ text: Substring) throws -> Series {
        guard let brace = text.firstIndex(of: "{") else { return Series(name: String(text), labels: [:]) }
        var labels: [String: String] = [:]
        let inner = text[text.index(after: brace)...].dropLast()
        // No label value of ours holds a comma or a quote.
        for pair in inner.split(separator: ",") {
            let sides = pair.split(separator: "=", maxSplits: 1)
            guard sides.count == 2 else { throw Overdue("no label: \(text)") }
            labels[String(sides[0])] = String(sides[1].dropFirst().dropLast())
        }
        return Series(name: String(text[..<brace]), labels: labels)
    }
}
