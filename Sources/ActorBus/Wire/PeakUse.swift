/// How much of a buffer was needed lately, so that one that is needed again is not let go and made anew each time, and
/// one that is not becomes smaller as others use it. Pure.
struct PeakUse {
    private(set) var bytes = 0

    /// Notes a use. What was needed before counts half as much each time.
    mutating func note(_ used: Int) { bytes = max(used, bytes / 2) }

    /// The capacity to go on with: the same, or a smaller one when much less was needed lately.
    func capacity(from current: Int, smallest: Int) -> Int {
        let enough = max(smallest, bytes > .max / 2 ? bytes : bytes * 2)
        return current / 4 > enough ? enough : current
    }
}
