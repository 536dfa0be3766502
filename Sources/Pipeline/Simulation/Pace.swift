/// How the simulation waits: times drawn from a range, shortened by the speed.
package struct Pace: Sendable, Equatable {
    package let range: SecondsRange
    package let speed: Speed

    package init(_ range: SecondsRange, speed: Speed) {
        self.range = range
        self.speed = speed
    }

    /// A wait drawn from the range.
    package func wait(using generator: inout some RandomNumberGenerator) -> Duration {
        speed.real(milliseconds: Fraction(bits: generator.next()).number(in: range.milliseconds))
    }
}
