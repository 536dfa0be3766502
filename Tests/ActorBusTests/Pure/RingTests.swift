import Testing

@testable import ActorBus

@Suite struct RingTests {
    @Test func anEmptyRingHasNothing() {
        var ring = Ring<Int>()
        #expect(ring.isEmpty)
        #expect(ring.first == nil)
        #expect(ring.popFirst() == nil)
        #expect(ring.removeAll().isEmpty)
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func behavesLikeAnArray(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var ring = Ring<Int>()
        var model: [Int] = []
        for step in 0..<2_000 {
            switch Int.random(in: 0..<8, using: &random) {
            case 0..<4:
                ring.append(step)
                model.append(step)
            case 4..<7:
                #expect(ring.popFirst() == (model.isEmpty ? nil : model.removeFirst()))
            default:
                if let position = model.indices.randomElement(using: &random) {
                    ring[position] = -step
                    model[position] = -step
                }
            }
            #expect(ring.count == model.count)
            #expect(ring.first == model.first)
            if let position = model.indices.randomElement(using: &random) { #expect(ring[position] == model[position]) }
        }
        #expect(ring.removeAll() == model)
        #expect(ring.isEmpty)
    }

    @Test func letsGoOfWhatWasTaken() {
        final class Thing {}
        var ring = Ring<Thing>()
        weak var taken: Thing?
        do {
            let thing = Thing()
            taken = thing
            ring.append(thing)
        }
        #expect(taken != nil)
        _ = ring.popFirst()
        #expect(taken == nil)
    }

    @Test func goesOnBehindAPile() {
        var ring = Ring<Int>()
        for round in 1...2 {
            for number in 0..<100_000 { ring.append(number * round) }
            for number in 0..<100_000 { #expect(ring.popFirst() == number * round) }
            #expect(ring.isEmpty && ring.first == nil && ring.popFirst() == nil)
        }
    }
}
