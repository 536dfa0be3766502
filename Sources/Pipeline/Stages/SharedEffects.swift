import ActorBus

/// The effects of one service, which all its replicas in a process share, so that each is counted once.
package final class SharedEffects: Sendable {
    private let ledger: Lock<EffectLedger>

    package init(capacity: Int = 100_000) {
        ledger = Lock(EffectLedger(capacity: capacity))
    }

    /// Notes an effect. True when it is new here.
    package func insert(_ effect: Effect, of identity: OrderIdentity) -> Bool {
        ledger.withLock { $0.insert(effect, of: identity) }
    }
}
