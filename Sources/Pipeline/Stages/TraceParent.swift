package import ActorBus

/// Where a message stands in a trace, as its `traceparent` header says it (W3C Trace Context, section 3.2).
package struct TraceParent: Sendable, Hashable {
    /// 128 bits, never all zero.
    private let traceID: String
    /// 64 bits, never zero.
    private let spanID: String
    private let flags: String

    /// The beginning of a new trace, sampled.
    package init(in world: World = .real) {
        var randomness = world.randomness
        let (high, low) = (UInt64.random(in: 1 ... .max, using: &randomness), randomness.next())
        traceID = high.hexadecimal + low.hexadecimal
        spanID = Self.newSpanID(in: world)
        flags = "01"
    }

    /// What a header says, nil where it says nothing that the standard allows.
    ///
    /// Of a version above 00 the part that 00 defines is read, as the standard asks.
    package init?(_ text: String) {
        let fields = text.split(separator: "-", omittingEmptySubsequences: false)
        guard fields.count >= 4, Self.isHexadecimal(fields[0], 2), fields[0] != "ff",
            fields[0] != "00" || fields.count == 4,
            Self.isHexadecimal(fields[1], 32), Self.isHexadecimal(fields[2], 16), Self.isHexadecimal(fields[3], 2),
            fields[1].contains(where: { $0 != "0" }), fields[2].contains(where: { $0 != "0" })
        else { return nil }
        traceID = String(fields[1])
        spanID = String(fields[2])
        flags = String(fields[3])
    }

    private init(traceID: String, spanID: String, flags: String) {
        self.traceID = traceID
        self.spanID = spanID
        self.flags = flags
    }

    /// The next hop of the same trace: a span of its own.
    package func child(in world: World = .real) -> TraceParent {
        TraceParent(traceID: traceID, spanID: Self.newSpanID(in: world), flags: flags)
    }

    /// The header's value.
    package var text: String { "00-\(traceID)-\(spanID)-\(flags)" }

    private static func newSpanID(in world: World) -> String {
        var randomness = world.randomness
        return UInt64.random(in: 1 ... .max, using: &randomness).hexadecimal
    }

    private static func isHexadecimal(_ field: Substring, _ length: Int) -> Bool {
        field.utf8.count == length
            && field.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }
}
