/// The system's monotonic clock as a duration.
package enum MonotonicTime {
    private static let origin = ContinuousClock.now

    /// The time since this was first asked for.
    package static func sinceFirstUse() -> Duration {
        origin.duration(to: .now)
    }
}
