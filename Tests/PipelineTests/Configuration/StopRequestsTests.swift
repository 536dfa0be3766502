import Foundation
import Testing

@testable import pipeline_run

@Suite struct StopRequestsTests {
    private static let start = ContinuousClock.now

    private func requests(_ signals: [(Int32, Int64)]) -> [StopRequests.Request?] {
        var requests = StopRequests()
        return signals.map { requests.heard($0.0, at: Self.start + .milliseconds($0.1)) }
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func `the first signal stops, a second one ends`(number: Int32) {
        #expect(requests([(number, 0), (SIGTERM, 1000), (SIGINT, 1001)]) == [.stop, .end, .end])
    }

    @Test func `the same request heard twice is one`() {
        #expect(requests([(SIGTERM, 0), (SIGTERM, 1), (SIGTERM, 50), (SIGTERM, 51)]) == [.stop, nil, nil, .end])
    }

    @Test func `a terminal that goes away stops, however often it is told of`() {
        #expect(requests([(SIGHUP, 0), (SIGHUP, 900), (SIGTERM, 1000), (SIGHUP, 2000)]) == [.stop, nil, nil, nil])
        #expect(requests([(SIGHUP, 0), (SIGTERM, 1000), (SIGTERM, 2000)]) == [.stop, nil, .end])
        #expect(requests([(SIGTERM, 0), (SIGHUP, 1000)]) == [.stop, nil])
    }
}
