/// The version of a RabbitMQ server, such as 4.0.5.
public struct BrokerVersion: Sendable, Hashable, Comparable, LosslessStringConvertible {
    /// The numbers from the most significant on.
    let numbers: [Int]

    /// A version of these numbers: `BrokerVersion(4, 3)` comes before 4.3.0.
    public init(_ numbers: Int...) {
        self.numbers = numbers
    }

    /// Reads `4.0.5`, and `4.1.0-rc.1` as 4.1.0; nil when the text does not begin with a number.
    public init?(_ text: String) {
        let numbers = text.prefix { $0.isNumber || $0 == "." }.split(separator: ".").compactMap { Int($0) }
        guard !numbers.isEmpty else { return nil }
        self.numbers = numbers
    }

    public var description: String { numbers.map(String.init).joined(separator: ".") }

    public static func < (one: BrokerVersion, other: BrokerVersion) -> Bool {
        one.numbers.lexicographicallyPrecedes(other.numbers)
    }
}
