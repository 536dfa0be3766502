/// What has happened in a run, as a hash: two runs with the same trace were alike to the last byte (FNV-1a, 64 bits).
struct Trace {
    private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    /// Each event in words, where somebody wants to read them.
    private(set) var story: [String]?

    init(isTold: Bool) { story = isTold ? [] : nil }

    mutating func note(_ number: UInt64) {
        var number = number
        for _ in 0..<8 {
            hash = (hash ^ (number & 0xFF)) &* 0x100_0000_01B3
            number >>= 8
        }
    }

    mutating func note(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }

    /// Tells of an event, which the hash knows of already.
    mutating func tell(_ words: @autoclosure () -> String) {
        if story != nil { story?.append(words()) }
    }
}
