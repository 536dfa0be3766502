/// Numbers for people.
enum Number {
    /// With a fixed number of digits after the point, and commas between thousands.
    static func text(_ value: Double, digits: Int) -> String {
        guard value.isFinite, value.magnitude < 1e15 else { return "\(value)" }
        var scale: Int64 = 1
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int64((value.magnitude * Double(scale)).rounded())
        let sign = value < 0 && scaled != 0 ? "-" : ""
        let whole = grouped(scaled / scale)
        guard digits > 0 else { return sign + whole }
        let part = String(scaled % scale)
        return sign + whole + "." + String(repeating: "0", count: digits - part.count) + part
    }

    /// A part of a hundred.
    static func percent(_ part: Double) -> String { text(part * 100, digits: 0) + "%" }

    private static func grouped(_ value: Int64) -> String {
        var text = ""
        for (index, digit) in String(value).reversed().enumerated() {
            if index > 0, index.isMultiple(of: 3) { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }
}
