/// A moment in UTC, to the millisecond, from the year 0000 to 9999 (what RFC 3339 can write).
package struct Timestamp: Sendable, Hashable, Comparable {
    package static let earliest = Timestamp(clamping: Int64.min)
    package static let latest = Timestamp(clamping: Int64.max)

    /// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
    package let milliseconds: Int64

    /// A moment by its milliseconds since 1970; what is before the year 0000 or after 9999 becomes the nearest of them.
    package init(clamping milliseconds: Int64) {
        self.milliseconds = min(max(milliseconds, -62_167_219_200_000), 253_402_300_799_999)
    }

    /// A moment by its seconds since 1970, clamped likewise.
    package init(clampingSeconds seconds: Int64) {
        let (milliseconds, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        self.init(clamping: overflow ? (seconds < 0 ? .min : .max) : milliseconds)
    }

    /// Whole seconds since 1970, the fraction cut off towards the past.
    package var seconds: Int64 {
        milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000
    }

    /// The same time of day, days later; never beyond the year 9999.
    package func adding(days: Int64) -> Timestamp {
        let (span, overflow) = days.multipliedReportingOverflow(by: 86_400_000)
        guard !overflow else { return days < 0 ? .earliest : .latest }
        let (sum, sumOverflow) = milliseconds.addingReportingOverflow(span)
        return sumOverflow ? (days < 0 ? .earliest : .latest) : Timestamp(clamping: sum)
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.milliseconds < right.milliseconds
    }
}
