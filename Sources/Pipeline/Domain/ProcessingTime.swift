/// How long something was being worked on, to the hundredth of a second, as messages write it.
package struct ProcessingTime: Sendable, Hashable {
    package let hundredths: Int64

    package init(hundredths: Int64) {
        self.hundredths = hundredths
    }

    /// A time in milliseconds, rounded half up.
    package init(milliseconds: Int64) {
        let (rounded, overflow) = milliseconds.addingReportingOverflow(5)
        hundredths = (overflow ? milliseconds : rounded) / 10
    }
}
