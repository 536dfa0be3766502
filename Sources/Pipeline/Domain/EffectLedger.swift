/// An effect that is counted once for an order.
package enum Effect: UInt8, Sendable, Hashable, CaseIterable {
    case orderGenerated = 1
    case paymentProcessed = 2
    case shipmentCreated = 3
    case orderNotified = 4
    case paymentNotified = 5
    case shipmentNotified = 6
}

/// A bounded memory of effects: which effect on which order has been seen.
///
/// It remembers the last `capacity` different pairs of identity and effect, first in, first out, and forgets older
/// ones. Pairs are kept as 128-bit digests; an empty ledger takes no memory, a full one of 100,000 about 3 MB.
package struct EffectLedger: Sendable {
    private struct Digest: Equatable, Sendable {
        let high: UInt64
        let low: UInt64
    }

    /// How many pairs are remembered.
    package let capacity: Int
    /// The digests, of which the oldest is at `oldest` once the ledger is full.
    private var digests: [Digest] = []
    private var oldest = 0
    /// Places in `digests` plus one, 0 for none, found by open addressing with linear probing. At most half full.
    private var table: [UInt32] = []

    /// A ledger of so many pairs, 1 at least and 2^30 at most.
    package init(capacity: Int = 100_000) {
        self.capacity = min(max(capacity, 1), 1 << 30)
    }

    package var count: Int { digests.count }

    /// Notes an effect. True when it is new here, false when it is remembered.
    package mutating func insert(_ effect: Effect, of identity: OrderIdentity) -> Bool {
        let digest = Self.digest(effect, identity)
        if find(digest) { return false }
        if digests.count < capacity {
            digests.append(digest)
            if digests.count * 2 > table.count { rebuildTable() } else { place(digests.count - 1) }
        } else {
            removeFromTable(oldest)
            digests[oldest] = digest
            place(oldest)
            oldest = oldest + 1 == capacity ? 0 : oldest + 1
        }
        return true
    }

    /// Whether an effect is remembered.
    package func contains(_ effect: Effect, of identity: OrderIdentity) -> Bool {
        find(Self.digest(effect, identity))
    }

    private static func digest(_ effect: Effect, _ identity: OrderIdentity) -> Digest {
        // The effect is part of the key, so the identity's bytes need not be copied to stand beside it.
        let hash = SipHash.hash128(key: (0x6c65_6467_6572_2076, UInt64(effect.rawValue)), identity.text.utf8)
        return Digest(high: hash.0, low: hash.1)
    }

    // MARK: Table

    private func home(_ digest: Digest) -> Int {
        Int(truncatingIfNeeded: digest.low) & (table.count - 1)
    }

    private func after(_ slot: Int) -> Int {
        (slot + 1) & (table.count - 1)
    }

    private func find(_ digest: Digest) -> Bool {
        guard !table.isEmpty else { return false }
        var slot = home(digest)
        while table[slot] != 0 {
            if digests[Int(table[slot] - 1)] == digest { return true }
            slot = after(slot)
        }
        return false
    }

    private mutating func place(_ index: Int) {
        var slot = home(digests[index])
        while table[slot] != 0 { slot = after(slot) }
        table[slot] = UInt32(index + 1)
    }

    private mutating func rebuildTable() {
        table = [UInt32](repeating: 0, count: max(16, table.count * 2))
        for index in digests.indices { place(index) }
    }

    /// Takes an entry out and moves back those behind it that probing would no longer reach.
    private mutating func removeFromTable(_ index: Int) {
        var hole = home(digests[index])
        while table[hole] != UInt32(index + 1) { hole = after(hole) }
        var slot = after(hole)
        while table[slot] != 0 {
            let distance = (slot - home(digests[Int(table[slot] - 1)])) & (table.count - 1)
            if distance >= (slot - hole) & (table.count - 1) {
                table[hole] = table[slot]
                hole = slot
            }
            slot = after(slot)
        }
        table[hole] = 0
    }
}
