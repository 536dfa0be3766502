package import ActorBus

/// Whoever takes parcels to customers.
package protocol Carrier: Sendable {
    /// Books the shipment of what was paid, once for each identity however often it is asked: the identity is the
    /// idempotency key.
    ///
    /// Ends with `CancellationError` when the task is cancelled; any other error is a failure for now, to be tried
    /// again. Must not block its thread.
    func book(_ payment: Payment, identity: OrderIdentity) async throws -> Booking
}

/// A carrier that decides by itself, in the time a warehouse would take.
package struct SimulatedCarrier<SimulationClock: Clock>: Carrier where SimulationClock.Duration == Duration {
    private let decisions: Decisions
    private let pace: Pace
    private let clock: SimulationClock

    package init(decisions: Decisions, pace: Pace, clock: SimulationClock) {
        self.decisions = decisions
        self.pace = pace
        self.clock = clock
    }

    package init(decisions: Decisions, pace: Pace, in world: World = .real) where SimulationClock == WorldClock {
        self.init(decisions: decisions, pace: pace, clock: world.clock)
    }

    package func book(_ payment: Payment, identity: OrderIdentity) async throws -> Booking {
        let decided = decisions.shipment(
            orderID: payment.orderID, identity: identity, milliseconds: pace.range.milliseconds)
        try await clock.pause(for: pace.speed.real(milliseconds: decided.milliseconds))
        return decided.booking
    }
}
