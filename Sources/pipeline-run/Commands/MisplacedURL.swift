/// A broker's URL where none is expected, as when `--amqp-url` was forgotten. It may hold a password, so it is never
/// printed.
enum MisplacedURL {
    static let words =
        "an AMQP URL stands where none is expected (it is not shown, since it may hold a password): give it with --amqp-url, "
        + "or better in AMQP_URL"

    /// - Parameter arguments: those of the command line, without the program's name.
    static func isAmong(_ arguments: [String]) -> Bool {
        var before = ""
        for argument in arguments {
            defer { before = argument }
            if isURL(argument), before != Settings.amqpURL.flag { return true }
            let sides = argument.split(separator: "=", maxSplits: 1)
            if sides.count == 2, isURL(sides[1]), sides[0] != Settings.amqpURL.flag { return true }
        }
        return false
    }

    private static func isURL(_ text: some StringProtocol) -> Bool {
        let text = text.lowercased()
        return text.hasPrefix("amqp://") || text.hasPrefix("amqps://")
    }
}
