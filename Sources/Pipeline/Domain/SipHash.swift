/// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash with well-distributed bits, the same on every machine.
///
/// Decisions and the effect ledger rest on it, and on its being the same in every version of this program.
package struct SipHash {
    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64
    private var pending: UInt64 = 0
    private var count: UInt64 = 0

    private init(_ key0: UInt64, _ key1: UInt64) {
        v0 = key0 ^ 0x736f_6d65_7073_6575
        v1 = key1 ^ 0x646f_7261_6e64_6f6d
        v2 = key0 ^ 0x6c79_6765_6e65_7261
        v3 = key1 ^ 0x7465_6462_7974_6573
    }

    /// The 64-bit hash of some bytes under a key.
    package static func hash64(key: (UInt64, UInt64), _ bytes: some Sequence<UInt8>) -> UInt64 {
        var hash = SipHash(key.0, key.1)
        hash.absorb(bytes)
        hash.finish()
        return hash.squeeze(marker: 0xFF)
    }

    /// The 128-bit hash of some bytes under a key: its first and its last eight bytes, little-endian.
    package static func hash128(key: (UInt64, UInt64), _ bytes: some Sequence<UInt8>) -> (UInt64, UInt64) {
        var hash = SipHash(key.0, key.1)
        hash.v1 ^= 0xEE
        hash.absorb(bytes)
        hash.finish()
        let first = hash.squeeze(marker: 0xEE)
        hash.v1 ^= 0xDD
        hash.rounds(4)
        return (first, hash.v0 ^ hash.v1 ^ hash.v2 ^ hash.v3)
    }

    private mutating func absorb(_ bytes: some Sequence<UInt8>) {
        for byte in bytes {
            pending |= UInt64(byte) << (8 * (count & 7))
            count &+= 1
            if count & 7 == 0 { compress() }
        }
    }

    private mutating func finish() {
        pending |= count << 56
        compress()
    }

    private mutating func compress() {
        v3 ^= pending
        rounds(2)
        v0 ^= pending
        pending = 0
    }

    private mutating func squeeze(marker: UInt64) -> UInt64 {
        v2 ^= marker
        rounds(4)
        return v0 ^ v1 ^ v2 ^ v3
    }

    private mutating func rounds(_ count: Int) {
        for _ in 0..<count {
            v0 &+= v1
            v1 = Self.rotate(v1, 13) ^ v0
            v0 = Self.rotate(v0, 32)
            v2 &+= v3
            v3 = Self.rotate(v3, 16) ^ v2
            v0 &+= v3
            v3 = Self.rotate(v3, 21) ^ v0
            v2 &+= v1
            v1 = Self.rotate(v1, 17) ^ v2
            v2 = Self.rotate(v2, 32)
        }
    }

    private static func rotate(_ word: UInt64, _ bits: UInt64) -> UInt64 {
        word &<< bits | word &>> (64 - bits)
    }
}
