import Testing

@testable import Benchmarks

@Suite struct ComparisonTests {
    @Test func aChangeWithinTheNoiseIsNone() {
        #expect(Comparison.verdict(0.1, noise: 0.12, .lower) == .same)
        #expect(Comparison.verdict(-0.04, noise: 0, .lower) == .same)
    }

    @Test func aChangeBeyondTheNoiseIsBetterOrWorseByTheFigure() {
        #expect(Comparison.verdict(0.2, noise: 0.1, .higher) == .better)
        #expect(Comparison.verdict(0.2, noise: 0.1, .lower) == .worse)
        #expect(Comparison.verdict(-0.2, noise: 0.1, .higher) == .worse)
        #expect(Comparison.verdict(-0.2, noise: 0.1, .lower) == .better)
    }

    @Test func ratiosAreComparedWhereThereIsABaseline() {
        // The machine became twice as slow for all.
        let text = Comparison(
            earlier: report(base: [100, 100], own: [200, 200]), later: report(base: [50, 50], own: [100, 100])
        ).render()
        #expect(text.contains("2.00x"))
        #expect(text.contains("work own"))
        #expect(!line(of: "work own", in: text).contains("worse"))
        #expect(line(of: "work base", in: text).hasSuffix("worse"))
    }

    @Test func nothingIsSaidOfSingleRuns() {
        let text = Comparison(earlier: report(base: [100], own: [200]), later: report(base: [100], own: [20])).render()
        #expect(text.contains("-90%"))
        #expect(!text.contains("worse"))
    }

    @Test func theSpreadOfTheBaselineIsNoiseToo() {
        let text = Comparison(
            earlier: report(base: [50, 150], own: [200, 200]), later: report(base: [100, 100], own: [160, 160])
        ).render()
        #expect(!line(of: "work own", in: text).contains("worse"))
    }

    @Test func anotherMachineIsSaid() {
        var later = report(base: [1], own: [1])
        later.machine.name = "another"
        #expect(Comparison(earlier: report(base: [1], own: [1]), later: later).render().contains("another machine"))
    }

    private func line(of start: String, in text: String) -> String {
        text.split(separator: "\n").map(String.init).first { $0.contains(start) } ?? ""
    }

    private func report(base: [Double], own: [Double]) -> Report {
        Report(
            started: "2026-01-07T10:30:00Z",
            machine: Machine(
                name: "one", architecture: "armv7l", bits: 32, processor: "", cores: 4, memoryMB: 1000, kernel: "6",
                system: "Debian"),
            versions: [:],
            groups: [
                Report.Group(
                    key: "work", title: "", figures: [.rate], baseline: "base",
                    rows: [row("base", base), row("own", own)])
            ], notes: [])
    }
}
