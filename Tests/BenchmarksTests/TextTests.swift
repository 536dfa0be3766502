import Testing

@testable import Benchmarks

@Suite struct TextTests {
    @Test(arguments: [
        (0, 0, "0"), (999.6, 0, "1,000"), (1_234_567, 0, "1,234,567"), (0.0449, 2, "0.04"), (1.005, 1, "1.0"),
        (-1234.5, 1, "-1,234.5"), (-0.001, 2, "0.00"), (.infinity, 1, "inf"),
    ])
    func numbersHaveFixedDigitsAndGroups(_ value: Double, _ digits: Int, _ text: String) {
        #expect(Number.text(value, digits: digits) == text)
    }

    @Test func partsAreShownOfAHundred() {
        #expect(Number.percent(0.255) == "26%")
        #expect(Number.percent(-0.5) == "-50%")
    }

    @Test func theFirstColumnOfATableStandsLeftAndTheOthersRight() {
        var table = Table()
        table.add(["", "msg/s", "µs"])
        table.add(["rabbitmq-c", "1", "22.5"])
        table.add(["short"])
        let lines = [
            "            msg/s    µs",
            "rabbitmq-c      1  22.5",
            "short",
        ]
        #expect(table.rendered(indent: "") == lines.joined(separator: "\n"))
    }

    @Test func aCellHasMedianSpreadAndRatio() {
        let group = Report.Group(
            key: "work", title: "Some work", figures: [.rate], baseline: "base",
            rows: [row("base", [100, 100]), row("other", [150, 250]), row("single", [50])])
        let lines = [
            "Some work",
            "  work             msg/s",
            "  base           100 ±0%",
            "  other   200 ±25% 2.00x",
            "  single        50 0.50x",
        ]
        #expect(ReportText.render(group) == lines.joined(separator: "\n"))
    }

    @Test func whatAContenderDidNotMeasureIsADash() {
        let group = Report.Group(
            key: "work", title: "Some work", figures: [.rate, .systemCalls], baseline: nil, rows: [row("base", [1])])
        #expect(ReportText.render(group).hasSuffix("  -"))
    }

    @Test func filesOfKeysGiveTheFirstValueOfEachKey() {
        let text = "model name\t: Some CPU \nVmRSS:\t  14 kB\nmodel name\t: Another\nno separator\n"
        #expect(KeyedText.parse(text, separator: ":") == ["model name": "Some CPU", "VmRSS": "14 kB"])
    }
}
