import Pipeline
import Testing

@testable import pipeline_run

/// What is said of letters that had to be returned.
@Suite struct ReturnedLettersTests {
    private func lines(_ counts: [Int64?], _ server: String?) -> [String] {
        ReturnedLetters(
            queue: .payment, letters: counts.map { .init(fault: "too large\n", returnsBefore: $0) },
            release: BrokerRelease(server), virtualHost: "/"
        ).lines
    }

    @Test func `nothing is said of nothing`() { #expect(lines([], "RabbitMQ 4.0.5") == []) }

    @Test func `each letter is told of with how often it was returned`() {
        let lines = lines([nil, 7], "RabbitMQ 4.0.5")
        #expect(lines.count == 3)
        #expect(
            lines.first
                == "a letter in payment_processor_queue.dlq cannot be written back, and was returned: too large\\u{a}")
        #expect(lines.dropFirst().first?.contains("returned (returns before this one: 7): too large") == true)
    }

    /// On RabbitMQ 3.10 this very policy destroys a letter at its first return.
    @Test(arguments: [("RabbitMQ 3.10.8", false), ("RabbitMQ 4.0.5", true), (nil, true)] as [(String?, Bool)])
    func `the policy that lifts the limit is named for RabbitMQ 4 only`(server: String?, isNamed: Bool) {
        let advice = lines([nil], server).last ?? ""
        #expect(advice.contains("delivery-limit\":-1") == isNamed && advice.contains("delivery limit"), "\(advice)")
    }
}
