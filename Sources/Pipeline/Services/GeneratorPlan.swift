/// What the generator is to make.
package struct GeneratorPlan: Sendable {
    /// Orders at once.
    package let batch: BatchSize
    /// From one batch to the next.
    package let pace: Pace
    /// Contents depend on it and the order's number only; nil for contents at random.
    package let seed: UInt64?
    /// After how many orders of this run it ends; nil for never.
    package let maximum: Int64?

    package init(batch: BatchSize, pace: Pace, seed: UInt64?, maximum: Int64?) {
        self.batch = batch
        self.pace = pace
        self.seed = seed
        self.maximum = maximum
    }

    /// Batches with no wait between them are made together, up to so many orders, to spare the disk.
    static let mostAtOnce: Int64 = 64

    /// How many orders come next, and how long to wait after them.
    ///
    /// - Parameter made: how many this run has made so far.
    package func next(
        after made: Int64, using generator: inout some RandomNumberGenerator
    ) -> (count: Int64, wait: Duration) {
        let rest = maximum.map { max($0 - made, 0) } ?? .max
        var count: Int64 = 0
        var wait = Duration.zero
        repeat {
            count += Fraction(bits: generator.next()).number(in: batch.range)
            wait = pace.wait(using: &generator)
        } while wait == .zero && count < min(rest, Self.mostAtOnce)
        return (min(count, rest), wait)
    }

    /// The order of a number: drawn, or as the seed has it.
    package func order(
        _ orderID: Int64, at time: Timestamp, using random: inout some RandomNumberGenerator
    ) -> Order {
        guard let seed else {
            return OrderContents(using: &random).order(orderID, at: time)
        }
        return OrderContents(seed: seed, orderID: orderID).order(orderID, at: time)
    }
}
