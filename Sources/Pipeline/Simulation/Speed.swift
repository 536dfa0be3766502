/// By how much simulated waits are shortened: divided by a factor, or left out.
package enum Speed: Sendable, Equatable, CustomStringConvertible {
    /// Every wait divided by so many thousandths of 1.
    case factor(thousandths: Int64)
    /// No waits.
    case max

    /// As slow as the world that is simulated.
    package static let real = Speed.factor(thousandths: 1000)

    /// Reads `max`, or a number from 0.001 to 1000000, as in `10` or `0.5`.
    package init(_ text: String) throws(UnreadableValue) {
        if text == "max" {
            self = .max
            return
        }
        guard let thousandths = DecimalText.thousandths(text) else {
            throw UnreadableValue(text, "is no speed; write a number with at most three decimals, as in 10, or max")
        }
        guard thousandths > 0, thousandths <= 1_000_000_000 else {
            throw UnreadableValue(text, "is out of range: a speed goes from 0.001 to 1000000, or is max")
        }
        self = .factor(thousandths: thousandths)
    }

    /// How long a simulated time of milliseconds really lasts.
    package func real(milliseconds: Int64) -> Duration {
        switch self {
        case .max: .zero
        case .factor(let thousandths):
            .milliseconds(milliseconds) * 1000 / Swift.max(thousandths, 1)
        }
    }

    package var description: String {
        switch self {
        case .max: "max"
        case .factor(let thousandths): DecimalText.text(thousandths: thousandths)
        }
    }
}
