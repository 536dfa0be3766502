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

    @Test func partsOfNamesThatLookAlikeAreTwo() {
        var policy = RecoveryPolicy()
        (policy.refusalPatience, policy.refusalsEndTheConnection) = (.seconds(5), true)
        var undeclared = UndeclaredParts(policy)
        let error = AMQPError(.accessRefused, "no")
        func isFinal(_ name: String, _ second: Int64) -> Bool {
            let moment = Moment(now: Instant(nanoseconds: second * 1_000_000_000), jitter: 0)
            return undeclared.handle(.leftOut(.queue(WireName(name)), error), at: moment) == [.end(error)]
        }
        #expect(!isFinal(composed, 0) && !isFinal(decomposed, 6) && isFinal(composed, 6))
        #expect(undeclared.names.count == 2)
    }
}
