import ActorBus
import Pipeline
import Testing

@testable import pipeline_run

/// What the doctor says of rights that are missing.
@Suite struct DoctorWordsTests {
    @Test func `what may not be declared takes few words, however much it is`() {
        let topology = PipelineTopology.all(.classic)
        let all: [TopologyDifference.Resource] =
            topology.exchanges.map { .exchange($0.name) } + topology.queues.map { .queue($0.name) }
        let words = BrokerChecks.declares(all, of: topology)
        #expect(words.count == 2 && words.joined().utf8.count < 200, "\(words)")
        #expect(words.first == "declare 3 of 3 exchanges (orders, payments, shipments)")
        #expect(words.last?.hasPrefix("declare 35 of 35 queues (payment_processor_queue, ") == true)
        #expect(words.last?.hasSuffix(", …)") == true)
        #expect(BrokerChecks.declares([.queue("a"), .queue("b")], of: topology) == ["declare 2 of 35 queues (a, b)"])
        #expect(BrokerChecks.declares([], of: topology) == [])
    }
}
