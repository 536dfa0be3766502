import Testing

@testable import ActorBus

@Suite struct PeakUseTests {
    @Test func whatIsNeededAgainIsKept() {
        var peak = PeakUse()
        for _ in 0..<1_000 {
            peak.note(1_000_000)
            #expect(peak.capacity(from: 1_048_576, smallest: 16_384) == 1_048_576)
            // Small ones between the large ones.
            peak.note(100)
            #expect(peak.capacity(from: 1_048_576, smallest: 16_384) == 1_048_576)
        }
    }

    @Test func whatIsNeededNoMoreIsLetGo() {
        var peak = PeakUse()
        peak.note(100_000_000)
        var capacity = 134_217_728
        for _ in 0..<40 {
            peak.note(50)
            capacity = peak.capacity(from: capacity, smallest: 16_384)
        }
        #expect(capacity <= 4 * 16_384)
        #expect(capacity >= 16_384)
    }

    @Test func neverLessThanIsNeededNorThanTheSmallest() {
        var peak = PeakUse()
        for used in [0, 1, 16_384, 65_535, 70_000, 1 << 30] {
            peak.note(used)
            for capacity in [16_384, 65_536, 1 << 20, Int(Int32.max)] where capacity >= used {
                let kept = peak.capacity(from: capacity, smallest: 16_384)
                #expect(kept <= capacity && kept >= min(capacity, used) && kept >= 16_384)
            }
        }
    }
}
