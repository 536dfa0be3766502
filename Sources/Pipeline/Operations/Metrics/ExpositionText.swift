/// The Prometheus text format 0.0.4, piece by piece.
///
/// <https://prometheus.io/docs/instrumenting/exposition_formats/>. Bytes rather than a `String`, since they go out on a
/// socket as they are.
struct ExpositionText: ~Copyable {
    private(set) var bytes: [UInt8] = []

    init() {
        // A page of ours is about 10 kB.
        bytes.reserveCapacity(16 * 1024)
    }

    mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    /// The two lines before the samples of a metric.
    mutating func appendHeader(name: String, description: MetricDescription) {
        append("# HELP \(name) \(Self.escapedHelp(description.help))\n")
        append("# TYPE \(name) \(description.kind.word)\n")
    }

    /// One sample; `series` is the name with its labels.
    mutating func appendSample(_ series: String, _ value: String) {
        append(series)
        bytes.append(UInt8(ascii: " "))
        append(value)
        bytes.append(UInt8(ascii: "\n"))
    }

    /// Takes back everything after `count` bytes.
    mutating func truncate(to count: Int) {
        bytes.removeLast(bytes.count - count)
    }

    /// `{a="b",c="d"}`, or nothing without labels.
    static func labels(_ pairs: [(String, String)]) -> String {
        guard !pairs.isEmpty else { return "" }
        let inner = pairs.map { "\(validLabel($0.0))=\"\(escapedLabelValue($0.1))\"" }
        return "{\(inner.joined(separator: ","))}"
    }

    static func escapedLabelValue(_ value: String) -> String {
        var text = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    static func escapedHelp(_ help: String) -> String {
        var text = ""
        for scalar in help.unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`: whatever else a name has becomes an underscore.
    static func validName(_ name: String) -> String {
        valid(name, colons: true)
    }

    /// `[a-zA-Z_][a-zA-Z0-9_]*`.
    static func validLabel(_ name: String) -> String {
        valid(name, colons: false)
    }

    private static func valid(_ name: String, colons: Bool) -> String {
        var text = ""
        for scalar in name.unicodeScalars {
            switch scalar {
            case "a"..."z", "A"..."Z", "_": text.unicodeScalars.append(scalar)
            case ":" where colons: text.unicodeScalars.append(scalar)
            case "0"..."9":
                if text.isEmpty { text = "_" }
                text.unicodeScalars.append(scalar)
            default: text += "_"
            }
        }
        return text.isEmpty ? "_" : text
    }

    /// A value as Prometheus reads it; whole numbers without a fraction.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        // Below 2^53 every whole number is itself.
        if value.magnitude < 9_007_199_254_740_992, value == value.rounded(.towardZero) {
            return String(Int64(value))
        }
        return value.description
    }

    /// `units` of 10^-decimals as a decimal number: 1234567 with 2 is `12345.67`, 130000 is `1300`.
    static func fixedPoint(_ units: Int64, decimals: Int) -> String {
        var scale: Int64 = 1
        for _ in 0..<decimals { scale *= 10 }
        let (whole, rest) = units.quotientAndRemainder(dividingBy: scale)
        guard rest != 0 else { return String(whole) }
        let digits = String(rest)
        return "\(whole)." + String(repeating: "0", count: decimals - digits.utf8.count) + digits
    }

    /// A bucket's bound as the original's client writes it (`0.5`, `1.0`), so that series of both can be summed by
    /// `le`.
    static func bound(_ bound: Double) -> String {
        bound.description
    }
}
