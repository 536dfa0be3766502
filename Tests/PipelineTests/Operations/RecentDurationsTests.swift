import Pipeline
import Testing

@Suite struct RecentDurationsTests {
    @Test func `tells the exact median, of an even number the lower of the two in the middle`() {
        var recent = RecentDurations(window: .seconds(60), capacity: 100)
        #expect(recent.quantile(0.5, at: .zero) == nil)
        for seconds in [30.0, 10.1, 59.9, 10.2, 10.0] { recent.record(.seconds(seconds), at: .seconds(1)) }
        // In buckets of 10 to 30 s, this would come out as 17.5 s or so.
        #expect(recent.quantile(0.5, at: .seconds(2)) == .seconds(10.2))
        recent.record(.seconds(1), at: .seconds(2))
        #expect(recent.quantile(0.5, at: .seconds(2)) == .seconds(10.1))
        #expect(recent.quantile(0, at: .seconds(2)) == .seconds(1))
        #expect(recent.quantile(0.95, at: .seconds(2)) == .seconds(59.9))
        #expect(recent.quantile(1, at: .seconds(2)) == .seconds(59.9))
    }

    @Test func `forgets what is older than its window, to the moment`() {
        var recent = RecentDurations(window: .seconds(60), capacity: 100)
        recent.record(.seconds(5), at: .seconds(10))
        recent.record(.seconds(7), at: .seconds(20))
        #expect(recent.quantile(0.5, at: .milliseconds(69_999)) == .seconds(5))
        #expect(recent.quantile(0.5, at: .seconds(70)) == .seconds(7))
        #expect(recent.quantile(0.5, at: .seconds(80)) == nil)
        recent.record(.seconds(9), at: .seconds(100))
        #expect(recent.quantile(0.5, at: .seconds(100)) == .seconds(9))
    }

    @Test(arguments: [1, 2, 3, 7, 100])
    func `of more than it may keep the newest count`(capacity: Int) {
        var recent = RecentDurations(window: .seconds(1000), capacity: capacity)
        for number in 1...250 {
            recent.record(.seconds(number), at: .seconds(number))
            let kept = min(capacity, number)
            #expect(recent.quantile(0, at: .seconds(number)) == .seconds(number - kept + 1))
            #expect(recent.quantile(0.5, at: .seconds(number)) == .seconds(number - kept + (kept + 1) / 2))
            #expect(recent.quantile(1, at: .seconds(number)) == .seconds(number))
        }
    }

    @Test func `is the same as sorting all of them`() {
        var recent = RecentDurations(window: .seconds(60), capacity: 1000)
        var all: [Int] = []
        for number in 0..<1000 {
            let value = number * 7919 % 1009
            all.append(value)
            recent.record(.milliseconds(value), at: .seconds(1))
        }
        all.sort()
        #expect(recent.quantile(0.5, at: .seconds(1)) == .milliseconds(all[499]))
        #expect(recent.quantile(0.95, at: .seconds(1)) == .milliseconds(all[949]))
    }
}
