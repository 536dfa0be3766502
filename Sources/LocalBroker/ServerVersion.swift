/// A release of RabbitMQ, such as 4.0.5.
struct ServerVersion: Sendable, Comparable, CustomStringConvertible {
    let description: String
    private let numbers: [Int]

    /// Reads `4.0.5` or `4.3.0-rc.1`; nil for what does not begin with two numbers.
    init?(_ text: some StringProtocol) {
        let release = text.prefix { $0.isNumber || $0 == "." }
        numbers = release.split(separator: ".").compactMap { Int($0) }
        guard numbers.count >= 2 else { return nil }
        description = String(text)
    }

    /// The version of an installed server, by its own application among its plugins; nil where none is found.
    init?(of installation: Installation) {
        let name = "rabbit-"
        let found = Posix.names(in: installation.root + "/plugins").lazy
            .filter { $0.hasPrefix(name) }.compactMap { ServerVersion($0.dropFirst(name.count)) }.first
        guard let found else { return nil }
        self = found
    }

    /// The version that a server's log names, where the server started to the end.
    init?(startedIn log: String) {
        guard log.contains("Server startup complete"),
            let line = log.split(separator: "Starting RabbitMQ ", maxSplits: 1).dropFirst().first
        else { return nil }
        self.init(line.prefix { !$0.isWhitespace })
    }

    /// The series within which data can be taken over both ways, as in 4.0.
    var series: [Int] { Array(numbers.prefix(2)) }

    static func == (left: Self, right: Self) -> Bool { left.numbers == right.numbers }

    static func < (left: Self, right: Self) -> Bool { left.numbers.lexicographicallyPrecedes(right.numbers) }
}
