import Testing

@testable import ActorBus

@Suite struct EncodedTableTests {
    private func fault(_ bytes: [UInt8]) -> String? {
        unsafe bytes.withUnsafeBytes { unsafe EncodedTable.fault(in: $0) }
    }

    /// One field of every type letter, some of them in one another.
    static let everyKind: [UInt8] = {
        var fields = WireBytes()
        func field(_ letter: Character, _ value: [UInt8]) {
            fields = fields.short("key-\(letter)").u8(letter.asciiValue!).raw(value)
        }
        field("V", [])
        for letter in "tbB" { field(letter, [1]) }
        for letter in "su" { field(letter, [1, 2]) }
        for letter in "Iif" { field(letter, [1, 2, 3, 4]) }
        field("D", [2, 0, 0, 1, 0])
        for letter in "lLdT" { field(letter, [0, 0, 0, 0, 0, 0, 1, 0]) }
        for letter in "Sx" { field(letter, WireBytes().long("text").bytes) }
        field("F", WireBytes().long(WireBytes().short("in").u8(UInt8(ascii: "t")).u8(1).bytes).bytes)
        field("A", WireBytes().long([UInt8(ascii: "t"), 1, UInt8(ascii: "V"), UInt8(ascii: "A"), 0, 0, 0, 0]).bytes)
        field("F", [0, 0, 0, 0])
        return WireBytes().long(fields.bytes).bytes
    }()

    @Test func aTableOfEveryKindHasNoFault() {
        #expect(fault(Self.everyKind) == nil)
        #expect(fault([0, 0, 0, 0]) == nil)
        #expect(fault(Self.everyKind + [1, 2, 3]) == nil, "what follows the table is not its own")
    }

    @Test func everyTruncationIsAFault() {
        for length in 0..<Self.everyKind.count { #expect(fault(Array(Self.everyKind[..<length])) != nil) }
    }

    /// Cut off with the outer length set right, so that the fault is inside.
    @Test func everyInnerTruncationIsFoundOrEndsBetweenFields() {
        var sound = 0
        for length in 4..<Self.everyKind.count {
            let cut = WireBytes().long(Array(Self.everyKind[4..<length])).bytes
            if fault(cut) == nil { sound += 1 }
        }
        // Only a cut right behind one of the 19 fields leaves a table; 0 fields is one as well.
        #expect(sound == 19)
    }

    @Test(arguments: [33, 34, 1_000, 20_000])
    func aTableThatIsTooDeepIsAFault(depth: Int) {
        #expect(fault(Wire.nestedTable(depth: depth))?.contains("deep") == true)
        #expect(fault(Wire.nestedArrays(depth: depth))?.contains("deep") == true)
    }

    @Test(arguments: 1...32)
    func aTableThatIsNotTooDeepHasNoFault(depth: Int) {
        #expect(fault(Wire.nestedTable(depth: depth)) == nil)
        if depth < 32 { #expect(fault(Wire.nestedArrays(depth: depth)) == nil) }
    }

    @Test(arguments: [UInt32(0x7FFF_FFFF), 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_FFFC])
    func absurdLengthsAreFaults(length: UInt32) {
        #expect(fault(WireBytes().u32(length).raw([1, 2, 3]).bytes) != nil)
        for letter in "SxFA" {
            let field = WireBytes().short("k").u8(letter.asciiValue!).u32(length).bytes
            #expect(fault(WireBytes().long(field).bytes) != nil)
        }
    }

    /// Whatever the bytes, the walk stays in them and ends; and what it finds sound, the decoder can decode.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func randomBytesAreWalkedSafely(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let pool = WirePool()
        for _ in 0..<2_000 {
            var bytes = Self.everyKind
            if Bool.random(using: &random) {
                bytes = (0..<Int.random(in: 0..<80, using: &random)).map { _ in .random(in: 0...255, using: &random) }
            }
            for _ in 0..<Int.random(in: 1..<6, using: &random) where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            guard fault(bytes) == nil else { continue }
            // Flags: headers only.
            let payload = [0x20, 0x00] + bytes
            let decoded = unsafe payload.withUnsafeBytes {
                unsafe PropertiesCodec.decode($0, pool: pool, names: NameCache())
            }
            pool.recycle()
            #expect(decoded != nil)
        }
    }
}
