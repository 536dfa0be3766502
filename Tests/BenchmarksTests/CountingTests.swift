import Testing

@testable import Benchmarks

/// What is read from other programs' output.
@Suite struct CountingTests {
    @Test func theCallsOfAStraceSummaryAreAddedUp() throws {
        let summary = """
            % time     seconds  usecs/call     calls    errors syscall
            ------ ----------- ----------- --------- --------- ----------------
             60.00    0.006000           6      1000           sendto
             40.00    0.004000           8       500       120 recvfrom
            ------ ----------- ----------- --------- --------- ----------------
            100.00    0.010000           6      1500       120 total
            """
        #expect(try SystemCallCount.total(summary) == 1_500)
    }

    @Test func aSummaryThatIsNoneIsAnError() {
        #expect(throws: BenchmarkError.self) { try SystemCallCount.total("strace: attach: Operation not permitted") }
    }

    @Test func metricsAreSummedByNameAndLabel() {
        let page = MetricsPage(
            """
            # HELP sent_total Notifications.
            # TYPE sent_total counter
            sent_total{type="a",topic="orders"} 3
            sent_total{type="b",topic="orders"} 4
            sent_total{type="b",topic="payments"} 5
            sent_total_other 9
            """)
        #expect(page.sum("sent_total") == 12)
        #expect(page.sum("sent_total", label: "topic=\"orders\"") == 7)
        #expect(page.sum("absent") == 0)
    }

    @Test func quantilesLieWithinTheirBucket() {
        let page = MetricsPage(
            """
            age_bucket{le="1"} 50
            age_bucket{le="2"} 100
            age_bucket{le="+Inf"} 100
            age_sum 80
            age_count 100
            """)
        let buckets = page.buckets("age")
        #expect(buckets.count == 100)
        #expect(buckets.sum == 80)
        #expect(buckets.quantile(0.5) == 1)
        #expect(buckets.quantile(0.75) == 1.5)
        #expect(buckets.quantile(0.25) == 0.5)
    }

    @Test func whatLiesBeyondTheLastBucketCountsAsItsBound() {
        let buckets = LatencyBuckets(cumulative: [(1, 1), (.infinity, 10)], sum: 100)
        #expect(buckets.quantile(0.99) == 1)
        #expect(LatencyBuckets().quantile(0.5) == 0)
    }

    @Test func histogramsOfReplicasAreAddedUp() {
        var sum = LatencyBuckets()
        sum.add(LatencyBuckets(cumulative: [(1, 1), (.infinity, 2)], sum: 4))
        sum.add(LatencyBuckets(cumulative: [(1, 3), (.infinity, 3)], sum: 1))
        #expect(sum.cumulative.map(\.count) == [4, 5])
        #expect(sum.sum == 5)
    }

    @Test func countsAreCompleteOnlyWhenEveryOrderWentAllTheWay() {
        var counts = PipelineCounts(
            payments: 10, successes: 9, shipments: 9, orderNotices: 10, paymentNotices: 10, shipmentNotices: 9)
        #expect(counts.areComplete(10))
        #expect(!counts.areComplete(11))
        counts.shipmentNotices = 8
        #expect(!counts.areComplete(10))
    }

    @Test func aFindingAboveItsLimitSaysWhatWasExpectedAndWhereToLook() {
        let limit = Limit.all[0]
        let good = Finding(limit: limit, callsPerMessage: limit.callsPerMessage)
        let bad = Finding(limit: limit, callsPerMessage: 3.25)
        #expect(good.isWithinLimit)
        #expect(!bad.isWithinLimit)
        #expect(bad.complaint.contains("3.250"))
        #expect(bad.complaint.contains(limit.lookAt))
        #expect(Finding.table([good, bad]).contains("TOO MANY"))
    }

    @Test func workInBulkIsAllowedLessThanACallForEachMessage() {
        for limit in Limit.all where max(limit.scenario.window, limit.scenario.prefetch) > 1 {
            #expect(limit.callsPerMessage < 1)
        }
    }
}

@Suite struct CrewTests {
    @Test(
        arguments: [("1", 1, nil), ("64", 64, nil), ("64/256", 64, 256), ("64/64", 64, 64)] as [(Substring, Int, Int?)])
    func isReadAsItIsNamed(text: Substring, concurrency: Int, prefetch: Int?) throws {
        let crew = try #require(Crew(text))
        #expect(crew.concurrency == concurrency && crew.prefetch == prefetch)
        #expect(crew.name == "concurrency \(text)")
    }

    @Test(arguments: ["", "0", "x", "1001", "64/", "64/63", "64/65536", "/64", "1/2/3", "-1"] as [Substring])
    func whatMakesNoSenseIsNone(text: Substring) {
        #expect(Crew(text) == nil)
    }
}
