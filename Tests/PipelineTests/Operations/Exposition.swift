@testable import Pipeline
import Testing

/// A scrape taken apart, strictly: anything that is no line of the format fails.
struct Exposition {
    struct Problem: Error { let line: String }

    private(set) var help: [String: String] = [:]
    private(set) var types: [String: String] = [:]
    private(set) var samples: [String: String] = [:]
    /// Series in the order of the text.
    private(set) var order: [String] = []
    let text: String

    init(_ registry: PrometheusRegistry) throws {
        try self.init(String(decoding: registry.exposition(), as: UTF8.self))
    }

    init(_ text: String) throws {
        self.text = text
        guard text.isEmpty || text.last == "\n" else { throw Problem(line: "no line break at the end") }
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
            if line.hasPrefix("# HELP "), words.count == 4 {
                guard help.updateValue(words[3], forKey: words[2]) == nil else { throw Problem(line: String(line)) }
            } else if line.hasPrefix("# TYPE "), words.count == 4 {
                guard types.updateValue(words[3], forKey: words[2]) == nil else { throw Problem(line: String(line)) }
            } else if let space = line.lastIndex(of: " "), !line.hasPrefix("#") {
                let series = String(line[..<space])
                let value = String(line[line.index(after: space)...])
                guard Double(value.replacing("Inf", with: "inf")) != nil,
                    samples.updateValue(value, forKey: series) == nil
                else { throw Problem(line: String(line)) }
                order.append(series)
            } else {
                throw Problem(line: String(line))
            }
        }
    }

    subscript(series: String) -> String? { samples[series] }
}
