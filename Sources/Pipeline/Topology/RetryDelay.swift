/// How long a message that failed waits in a delayed-retry queue before it comes back.
package struct RetryDelay: Sendable, Hashable, CustomStringConvertible {
    package let milliseconds: Int64

    package init(milliseconds: Int64) {
        self.milliseconds = max(milliseconds, 1)
    }

    package static func seconds(_ seconds: Int64) -> RetryDelay { RetryDelay(milliseconds: seconds * 1000) }

    /// In seconds, with the decimals it needs; the end of the queue's name.
    package var description: String {
        let (seconds, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
        if rest == 0 { return "\(seconds)" }
        let digits = String(rest)
        var decimals = String(repeating: "0", count: 3 - digits.count) + digits
        while decimals.hasSuffix("0") { decimals.removeLast() }
        return "\(seconds).\(decimals)"
    }
}

extension [RetryDelay] {
    /// Those of the pipeline. Together they outlast an outage of ten minutes.
    package static let standard: [RetryDelay] = [
        .seconds(1), .seconds(5), .seconds(30), .seconds(120), .seconds(600),
    ]
}
