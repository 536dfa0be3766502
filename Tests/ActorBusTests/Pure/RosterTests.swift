import Testing

@testable import ActorBus

@Suite struct RosterTests {
    @Test func goesThroughItsMembersInTheOrderOfTheirNumbers() {
        var roster = Roster<UInt32, String>()
        for number in [5, 1, 9, 3, 7, 2] as [UInt32] { roster[number] = "\(number)" }
        #expect(roster.values == ["1", "2", "3", "5", "7", "9"])
        #expect(roster.map { $0.0 } == [1, 2, 3, 5, 7, 9])
    }

    /// Against a dictionary, over everything that can be done with few numbers.
    @Test func holdsWhatADictionaryHolds() {
        var roster = Roster<UInt32, Int>()
        var expected: [UInt32: Int] = [:]
        var random: UInt64 = 1
        for step in 0..<2_000 {
            random = random &* 6_364_136_223_846_793_005 &+ 1
            let number = UInt32(random >> 60)
            let value = random >> 40 & 3 == 0 ? nil : step
            roster[number] = value
            expected[number] = value
            #expect((0..<17).allSatisfy { roster[$0] == expected[$0] })
            #expect(roster.values == expected.sorted { $0.key < $1.key }.map(\.value))
        }
    }
}
