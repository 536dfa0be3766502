/// A point of the monotonic clock, in nanoseconds. Pure: ``World`` reads the clock.
package struct Instant: Comparable, Sendable {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// The whole milliseconds until `deadline`, rounded up, since waking early would only mean to sleep again.
    package func milliseconds(until deadline: Instant) -> CInt {
        guard deadline > self else { return 0 }
        let (rest, overflow) = deadline.nanoseconds.subtractingReportingOverflow(nanoseconds)
        return overflow ? CInt.max : CInt(clamping: rest / 1_000_000 + 1)
    }

    package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    package static func + (left: Instant, right: Duration) -> Instant { left.after(right.nanoseconds) }

    /// For what happens with every message: a `Duration` has 128 bits, and is slow to reckon with.
    package func after(_ span: Int64) -> Instant {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(span)
        return Instant(nanoseconds: overflow ? .max : sum)
    }

    /// The earlier of two, where nil is never.
    package static func earlier(_ left: Instant?, _ right: Instant?) -> Instant? {
        guard let left else { return right }
        guard let right else { return left }
        return min(left, right)
    }

    package static func - (left: Instant, right: Instant) -> Duration {
        .nanoseconds(left.nanoseconds - right.nanoseconds)
    }
}

extension Duration {
    /// The duration in nanoseconds, at most what 64 bits hold (292 years).
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, carry) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carry ? .max : sum
    }
}
