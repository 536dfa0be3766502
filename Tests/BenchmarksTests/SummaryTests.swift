import Testing

@testable import Benchmarks

@Suite struct SummaryTests {
    @Test func theMedianOfAnOddNumberIsTheMiddleOne() throws {
        let summary = try #require(Summary([9, 1, 5]))
        #expect(summary.median == 5)
        #expect(summary.lowest == 1)
        #expect(summary.highest == 9)
        #expect(summary.runs == 3)
    }

    @Test func theMedianOfAnEvenNumberLiesBetweenTheTwoInTheMiddle() throws {
        #expect(try #require(Summary([4, 1, 2, 100])).median == 3)
    }

    @Test func theSpreadIsHalfTheWayFromTheLowestToTheHighest() throws {
        #expect(try #require(Summary([8, 10, 12])).spread == 0.2)
        #expect(try #require(Summary([10])).spread == 0)
        #expect(try #require(Summary([0, 0])).spread == 0)
    }

    @Test func noRunsHaveNoSummary() {
        #expect(Summary([]) == nil)
    }

    @Test func aSeriesKeepsContendersInTheOrderTheyCameIn() throws {
        var series = Series()
        series.add([.rate: 10], of: "second")
        series.add([.rate: 20, .clientCPU: 1], of: "first")
        series.add([.rate: 30], of: "second")
        #expect(series.rows.map(\.contender) == ["second", "first"])
        #expect(series.rows[0].figures[Figure.rate.key]?.median == 20)
        #expect(series.rows[0].figures[Figure.clientCPU.key] == nil)
        #expect(series.rows[1].figures[Figure.clientCPU.key]?.runs == 1)
    }
}
