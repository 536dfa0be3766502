internal import ActorBus

/// An IPv4 address of a simulated network.
struct SimulatedAddress: Hashable {
    /// In the order in which it is written.
    let bytes: [UInt8]

    /// Nil for what is no address in numbers.
    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        guard parts.count == 4, parts.allSatisfy({ $0 != nil }) else { return nil }
        bytes = parts.compactMap { $0 }
    }

    /// The address that a connection goes to, and its port.
    static func of(_ resolved: ResolvedAddress) -> (address: SimulatedAddress, port: UInt16)? {
        guard resolved.family == Self.family, resolved.bytes.count == 16 else { return nil }
        let text = resolved.bytes[4..<8].map { "\($0)" }.joined(separator: ".")
        guard let address = SimulatedAddress(text) else { return nil }
        return (address, UInt16(resolved.bytes[2]) << 8 | UInt16(resolved.bytes[3]))
    }

    /// As the system's resolver gives it: a `sockaddr_in`.
    func resolved(port: UInt16) -> ResolvedAddress {
        let head = [UInt8(Self.family), 0, UInt8(port >> 8), UInt8(port & 0xFF)]
        return ResolvedAddress(family: Self.family, bytes: head + bytes + [UInt8](repeating: 0, count: 8))
    }

    var text: String { bytes.map { "\($0)" }.joined(separator: ".") }

    /// AF_INET.
    private static let family: CInt = 2
}
