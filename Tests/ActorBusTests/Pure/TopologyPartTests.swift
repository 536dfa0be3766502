import Testing

@testable import ActorBus

/// A broker tells names apart by their bytes, so `é` as one scalar and as two are two names.
@Suite struct TopologyPartTests {
    private let composed = "caf\u{E9}"
    private let decomposed = "cafe\u{301}"

    @Test func namesAreComparedByteForByte() {
        #expect(composed == decomposed)
        #expect(WireName(composed) != WireName(decomposed) && WireName(composed) == WireName("caf\u{E9}"))
        let names: [TopologyPart.Name] = [.queue(WireName(composed)), .queue(WireName(decomposed))]
        #expect(Set(names + names).count == 2)
        #expect(TopologyPart.Name.queue(WireName("a")) != .exchange(WireName("a")))
        let resources: [TopologyDifference.Resource] = [.queue(composed), .queue(decomposed), .exchange(composed)]
        #expect(Set(resources + resources).count == 3)
    }

    @Test func partsAreFoundByTheBytesOfTheirNames() {
        let topology = Topology {
            Exchange(composed, .fanout)
            Exchange(decomposed, .topic)
            Queue(composed).bound(to: composed)
            Queue(decomposed, durable: false).bound(to: decomposed)
        }
        #expect(topology.part(.queue(WireName(decomposed))) == .queue(topology.queues[1]))
        #expect(topology.part(.exchange(WireName(decomposed))) == .exchange(topology.exchanges[1]))
        #expect(
            topology.parts(ofQueue: decomposed)
                == [.exchange(topology.exchanges[1]), .queue(topology.queues[1])])
    }

    @Test func refusalsOfNamesThatLookAlikeAreTwo() {
        var refusals = LastingRefusals<TopologyPart.Name>(patience: .seconds(5))
        let error = AMQPError(.accessRefused, "no")
        func note(_ name: String, _ second: Int64) -> Bool {
            refusals.note(
                error, isRefusal: true, of: .queue(WireName(name)), at: Instant(nanoseconds: second * 1_000_000_000))
        }
        #expect(!note(composed, 0) && !note(decomposed, 6) && note(composed, 6))
    }
}
