import Pipeline
import Testing

@Suite struct GeneratorPlanTests {
    private static func plan(
        batch: String = "1-5", interval: String = "10-20", speed: String = "1", seed: UInt64? = nil,
        maximum: Int64? = nil
    ) throws -> GeneratorPlan {
        GeneratorPlan(
            batch: try BatchSize(batch), pace: Pace(try SecondsRange(interval), speed: try Speed(speed)), seed: seed,
            maximum: maximum)
    }

    @Test func `makes 1 to 5 orders and waits 10 to 20 seconds`() throws {
        let plan = try Self.plan()
        var random = SystemRandomNumberGenerator()
        var counts: Set<Int64> = []
        for _ in 0..<500 {
            let (count, wait) = plan.next(after: 0, using: &random)
            counts.insert(count)
            #expect(wait >= .seconds(10) && wait <= .seconds(20))
        }
        #expect(counts == [1, 2, 3, 4, 5])
    }

    @Test func `the last batch is cut to the maximum`() throws {
        let plan = try Self.plan(batch: "5", maximum: 12)
        var random = SystemRandomNumberGenerator()
        #expect(plan.next(after: 5, using: &random).count == 5)
        #expect(plan.next(after: 10, using: &random).count == 2)
        #expect(plan.next(after: 12, using: &random).count == 0)
        #expect(plan.next(after: 13, using: &random).count == 0)
    }

    @Test func `batches without a wait between them are made together, within bounds`() throws {
        var random = SystemRandomNumberGenerator()
        let (count, wait) = try Self.plan(batch: "5", speed: "max").next(after: 0, using: &random)
        #expect(count >= 64 && count < 64 + 5 && wait == .zero)
        #expect(try Self.plan(batch: "5", speed: "max", maximum: 7).next(after: 0, using: &random).count == 7)
        #expect(try Self.plan(batch: "10000", speed: "max").next(after: 0, using: &random).count == 10_000)
    }

    @Test func `the seed and the number decide the contents`() throws {
        let time = Timestamp(clampingSeconds: 1_767_781_800)
        func order(_ number: Int64, _ plan: GeneratorPlan) -> Order {
            // Of no account where there is a seed.
            var random = SystemRandomNumberGenerator()
            return plan.order(number, at: time, using: &random)
        }
        let (seven, eight) = (try Self.plan(seed: 7), try Self.plan(seed: 8))
        #expect(order(3, seven) == order(3, seven))
        #expect(order(3, seven).items != order(4, seven).items)
        #expect((1...20).contains { order($0, seven).items != order($0, eight).items })
        #expect(order(3, seven).orderID == 3)
    }
}
