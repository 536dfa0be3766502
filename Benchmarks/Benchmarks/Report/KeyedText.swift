import FoundationEssentials

/// Files of lines `key: value`, as `/proc` has them.
enum KeyedText {
    /// The first value of every key; nothing when the file cannot be read, as when its process has ended.
    static func file(_ path: String, separator: Character) -> [String: String] {
        guard let data = try? Data(contentsOf: URL(filePath: path)) else { return [:] }
        return parse(String(decoding: data, as: UTF8.self), separator: separator)
    }

    static func parse(_ text: String, separator: Character) -> [String: String] {
        var values: [String: String] = [:]
        for line in text.split(separator: "\n") {
            guard let mark = line.firstIndex(of: separator) else { continue }
            let key = trimmed(line[..<mark])
            if values[key] == nil { values[key] = trimmed(line[line.index(after: mark)...]) }
        }
        return values
    }

    private static func trimmed(_ text: Substring) -> String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        return String(text.drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }
}
