@testable import Benchmarks

/// A contender's row with rates.
func row(_ contender: String, _ rates: [Double]) -> Report.Row {
    Report.Row(contender: contender, figures: [Figure.rate.key: rates].compactMapValues(Summary.init))
}
