package import ActorBus

/// Whoever charges customers.
package protocol PaymentGateway: Sendable {
    /// Charges an order, once for each identity however often it is asked: the identity is the idempotency key.
    ///
    /// Throws ``GatewayUnavailable`` when the gateway cannot be asked or does not answer; that, and any other error, is a
    /// failure for now, to be tried again. Ends with `CancellationError` when the task is cancelled. A charge that is
    /// declined is an answer, not an error. Must not block its thread.
    func charge(_ order: Order, identity: OrderIdentity) async throws -> ChargeAnswer
}

/// A gateway that could not be asked, or did not answer. Whether it has charged is not known; asked again with the same
/// key, it charges once.
package struct GatewayUnavailable: Error, Sendable, CustomStringConvertible {
    /// What was tried and what was found, in a line.
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// A gateway that decides by itself, in the time a real one would take.
package struct SimulatedPaymentGateway<SimulationClock: Clock>: PaymentGateway
where SimulationClock.Duration == Duration {
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

    package func charge(_ order: Order, identity: OrderIdentity) async throws -> ChargeAnswer {
        let decided = decisions.payment(
            orderID: order.orderID, identity: identity, milliseconds: pace.range.milliseconds)
        try await clock.pause(for: pace.speed.real(milliseconds: decided.milliseconds))
        return ChargeAnswer(
            outcome: decided.outcome, method: decided.method,
            processingTime: ProcessingTime(milliseconds: decided.milliseconds))
    }
}
