/// Bodies to be sent and known again.
enum Sample {
    /// Bytes of which no two stretches of a few hundred are the same. Quick to make, since tests need many.
    static func bytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xA5, count: count)
        for index in stride(from: 0, to: count, by: 251) { bytes[index] = UInt8(truncatingIfNeeded: index / 251) }
        for index in stride(from: 97, to: count, by: 251) { bytes[index] = UInt8(truncatingIfNeeded: index >> 14) }
        return bytes
    }
}
