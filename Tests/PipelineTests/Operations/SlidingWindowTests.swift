@testable import Pipeline
import Testing

@Suite("The sliding window")
struct SlidingWindowTests {
    @Test("An event counts for the length of the window, and no longer")
    func life() {
        var window = SlidingWindow(seconds: 60)
        window.record(3, at: .seconds(100))
        #expect(window.total(at: .seconds(100)) == 3)
        #expect(window.total(at: .milliseconds(159_999)) == 3)
        #expect(window.total(at: .seconds(160)) == 0)
        #expect(window.total(at: .seconds(100_000)) == 0)
    }

    @Test("It agrees with counting every event of the last seconds")
    func model() {
        var generator = SplitMix(state: 7)
        var window = SlidingWindow(seconds: 10)
        var events: [(second: Int64, count: Int64)] = []
        var milliseconds: Int64 = 0
        for _ in 0..<5000 {
            milliseconds += Int64(generator.next() % 3000)
            if generator.next() % 50 == 0 { milliseconds += 25_000 }
            let now = Duration.milliseconds(milliseconds)
            let second = milliseconds / 1000
            if generator.next() % 3 != 0 {
                let count = Int64(generator.next() % 5)
                window.record(count, at: now)
                events.append((second, count))
            }
            let expected = events.filter { $0.second > second - 10 }.reduce(0) { $0 + $1.count }
            #expect(window.total(at: now) == expected)
        }
    }

    @Test("A time that goes back counts as the newest, and loses nothing")
    func backwards() {
        var window = SlidingWindow(seconds: 60)
        window.record(at: .seconds(50))
        window.record(at: .seconds(10))
        #expect(window.total(at: .seconds(0)) == 2)
        #expect(window.total(at: .seconds(109)) == 2)
        #expect(window.total(at: .seconds(110)) == 0)
    }

    @Test("The rate is per second of the window")
    func rate() {
        var window = SlidingWindow(seconds: 60)
        window.record(90, at: .seconds(1))
        #expect(window.perSecond(at: .seconds(2)) == 1.5)
    }

    private struct SplitMix {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }
}
