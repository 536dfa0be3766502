/// Lengths of time as they are written for people.
enum DurationText {
    /// In seconds, as the flags read it.
    static func seconds(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let milliseconds = attoseconds / 1_000_000_000_000_000
        guard milliseconds != 0 else { return "\(seconds)" }
        var decimals = String(1000 + milliseconds).dropFirst()
        while decimals.hasSuffix("0") { decimals.removeLast() }
        return "\(seconds).\(decimals)"
    }

    /// An age, in its largest unit.
    static func age(_ duration: Duration) -> String {
        let seconds = duration.components.seconds
        return switch seconds {
        case ..<0: "0s"
        case ..<120: "\(seconds)s"
        case ..<7200: "\(seconds / 60)m"
        case ..<172_800: "\(seconds / 3600)h"
        default: "\(seconds / 86_400)d"
        }
    }
}
