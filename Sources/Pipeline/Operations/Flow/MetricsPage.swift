/// A page of metrics in the Prometheus text format, read back. What cannot be read is left out: the page may be
/// another version's.
package struct MetricsPage: Sendable, Equatable {
    package struct Sample: Sendable, Equatable {
        package let labels: [String: String]
        package let value: Double
    }

    package private(set) var samples: [String: [Sample]] = [:]

    package init(_ text: String) {
        for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
            guard let (name, sample) = Self.sample(line) else { continue }
            samples[name, default: []].append(sample)
        }
    }

    package func has(_ name: String) -> Bool { samples[name] != nil }

    /// The sum over all series of a name that have these labels; nil when there is none.
    package func sum(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        let found = (samples[name] ?? []).filter { sample in labels.allSatisfy { sample.labels[$0] == $1 } }
        return found.isEmpty ? nil : found.reduce(0) { $0 + $1.value }
    }

    private static func sample(_ line: Substring) -> (String, Sample)? {
        let name = line.prefix { $0 != "{" && $0 != " " }
        var rest = line.dropFirst(name.count)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest = rest.dropFirst()
            while let first = rest.first, first != "}" {
                guard let (label, value, after) = Self.label(rest) else { return nil }
                labels[label] = value
                rest = after
                if rest.first == "," { rest = rest.dropFirst() }
            }
            guard rest.first == "}" else { return nil }
            rest = rest.dropFirst()
        }
        // A time stamp may follow.
        guard !name.isEmpty, let text = rest.split(separator: " ").first, let value = Double(text) else { return nil }
        return (String(name), Sample(labels: labels, value: value))
    }

    private static func label(_ text: Substring) -> (String, String, Substring)? {
        let name = text.prefix { $0 != "=" }
        var rest = text.dropFirst(name.count + 1)
        guard rest.first == "\"" else { return nil }
        rest = rest.dropFirst()
        var value = ""
        while let character = rest.popFirst() {
            switch character {
            case "\"": return (String(name), value, rest)
            case "\\":
                guard let escaped = rest.popFirst() else { return nil }
                value.append(escaped == "n" ? "\n" : escaped)
            default: value.append(character)
            }
        }
        return nil
    }
}
