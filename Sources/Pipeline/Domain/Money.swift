/// An amount of money from 0 to 1,000,000.00, in whole cents, of whatever currency the message names.
package struct Money: Sendable, Hashable, Comparable {
    /// One million.
    package static let maximum = Money(uncheckedCents: 100_000_000)
    package static let zero = Money(uncheckedCents: 0)

    package let cents: Int64

    /// An amount in cents, nil below zero or above one million.
    package init?(cents: Int64) {
        guard cents >= 0, cents <= Self.maximum.cents else { return nil }
        self.cents = cents
    }

    /// An amount as a JSON number writes it: whole cents, or what binary floating point makes of them. So
    /// 1299.9899999999998 is 1299.99, and 18.605 is no amount.
    ///
    /// Nil below zero, above one million, and further than a millionth from a whole cent.
    package init?(_ number: JSONNumber) {
        guard let millionths = number.units(decimals: 6), !millionths.isNegative else { return nil }
        let (below, beyond) = millionths.magnitude.quotientAndRemainder(dividingBy: 10_000)
        let cents: UInt64
        switch beyond {
        case 0: cents = below
        case 1 where millionths.isExact: cents = below
        case 9_999: cents = below + 1
        default: return nil
        }
        guard let cents = Int64(exactly: cents) else { return nil }
        self.init(cents: cents)
    }

    private init(uncheckedCents: Int64) {
        cents = uncheckedCents
    }

    /// This amount with two decimals, as in `1299.99`.
    package var text: String {
        let rest = cents % 100
        return "\(cents / 100).\(rest < 10 ? "0" : "")\(rest)"
    }

    /// The sum, nil above one million.
    package func adding(_ other: Money) -> Money? {
        Money(cents: cents + other.cents)
    }

    /// This amount so many times, nil below zero or above one million.
    package func times(_ count: Int64) -> Money? {
        let (product, overflow) = cents.multipliedReportingOverflow(by: count)
        return overflow ? nil : Money(cents: product)
    }

    package static func < (left: Money, right: Money) -> Bool {
        left.cents < right.cents
    }
}
