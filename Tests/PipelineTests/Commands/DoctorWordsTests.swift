import ActorBus
import Pipeline
import Testing

@testable import pipeline_run

/// What the doctor says of rights and of the topology.
@Suite struct DoctorWordsTests {
    @Test func `what may not be declared takes few words, however much it is`() {
        let topology = PipelineTopology.all(.classic)
        let all: [TopologyDifference.Resource] =
            topology.exchanges.map { .exchange($0.name) } + topology.queues.map { .queue($0.name) }
        let words = PermissionChecks.declares(all, of: topology)
        #expect(words.count == 2 && words.joined().utf8.count < 200, "\(words)")
        #expect(words.first == "declare 3 of 3 exchanges (orders, payments, shipments)")
        #expect(words.last?.hasPrefix("declare 35 of 35 queues (payment_processor_queue, ") == true)
        #expect(words.last?.hasSuffix(", …)") == true)
        #expect(
            PermissionChecks.declares([.queue("a"), .queue("b")], of: topology) == ["declare 2 of 35 queues (a, b)"])
        #expect(PermissionChecks.declares([], of: topology) == [])
    }

    @Test func `what was not looked at is never among what the user may do`() {
        func deed(_ name: String, refused: [String] = [], unknown: [String] = []) -> PermissionChecks.Deed {
            PermissionChecks.Deed(name: name, refused: refused, unknown: unknown)
        }
        func lines(_ deeds: [PermissionChecks.Deed]) -> [String] {
            PermissionChecks.verdict(deeds, user: "u").map { $0.text(colors: false) }
        }
        #expect(
            lines([deed("declare"), deed("bind"), deed("publish")]) == [
                "✓ permissions      'u' may declare, bind and publish"
            ])
        #expect(lines([deed("declare")]) == ["✓ permissions      'u' may declare"])
        #expect(
            lines([deed("declare"), deed("publish", unknown: ["publish to 'x'", "publish to 'y'"])]) == [
                "✓ permissions      'u' may declare",
                "- permissions      not looked at: whether 'u' may publish to 'x', or publish to 'y'",
            ])
        #expect(
            lines([deed("publish", unknown: ["publish to 'x'"])]) == [
                "- permissions      not looked at: whether 'u' may publish to 'x'"
            ])
        let bad = PermissionChecks.verdict(
            [deed("declare"), deed("bind", refused: ["bind q to x"], unknown: ["bind r to x"])], user: "u")
        #expect(bad.map(\.mark) == [.bad(status: 78), .skipped])
        #expect(bad[0].words == "'u' may not bind q to x")
        #expect(bad[0].remedy?.contains("write on the queue and read on the exchange") == true)
    }

    @Test func `what is not there yet, what differs and what could not be compared have a line each`() {
        let topology = PipelineTopology.all(.classic)
        func lines(_ differences: [TopologyDifference]) -> [String] {
            BrokerChecks.comparison(of: topology, differences).map { $0.text(colors: false) }
        }
        #expect(lines([]) == ["✓ topology         3 exchanges and 35 queues are as they should be"])
        let missing = [TopologyDifference(.exchange("orders"), .missing), TopologyDifference(.queue("q"), .missing)]
        #expect(
            lines(missing) == [
                "✓ topology         not there yet: 1 of 3 exchanges and 1 of 35 queues; each service declares them "
                    + "when it starts"
            ])
        #expect(
            lines([TopologyDifference(.queue("q"), .unknown("no right"))]) == [
                "- topology         not compared: 1 of 35 queues: no right"
            ])
        let all = BrokerChecks.comparison(
            of: topology,
            missing + [
                TopologyDifference(.queue("r"), .different("durable")), TopologyDifference(.queue("s"), .unknown("")),
            ])
        #expect(all.map(\.mark) == [.bad(status: 78), .good, .skipped])
    }
}
