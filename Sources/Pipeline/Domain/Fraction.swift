/// A number from 0 up to but not including 1, in steps of 2^-64.
package struct Fraction: Sendable, Hashable {
    private let bits: UInt64

    package init(bits: UInt64) {
        self.bits = bits
    }

    /// True for this share of all fractions: never at 0, always at 1, and never turning false as the rate grows.
    package func isWithin(rate: Double) -> Bool {
        // 53 bits are what a Double holds exactly, so the greatest fraction stays below 1.
        Double(bits >> 11) * 0x1p-53 < rate
    }

    /// This fraction of `count` things, evenly: from 0 to `count - 1`; 0 of none.
    package func index(below count: UInt64) -> UInt64 {
        bits.multipliedFullWidth(by: count).high
    }

    /// This fraction of the way through whole numbers, evenly, both ends included.
    package func number(in range: ClosedRange<Int64>) -> Int64 {
        let span = UInt64(bitPattern: range.upperBound &- range.lowerBound)
        let step = span == .max ? bits : index(below: span + 1)
        return range.lowerBound &+ Int64(bitPattern: step)
    }
}
