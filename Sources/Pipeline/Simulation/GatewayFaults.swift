package import ActorBus

/// How the simulated payment gateway fails, to see what becomes of the orders meanwhile.
package struct GatewayFaults: Sendable, Equatable {
    /// Seconds after the start between which the gateway is unavailable; nil for never.
    package var outage: SecondsRange?
    /// The share of the calls for which it is unavailable besides.
    package var failureRate: Share
    /// The share of the calls that it answers too late, having charged.
    package var lateRate: Share
    /// How long an answer is waited for.
    package var timeout: Duration

    package static let standardTimeout = Duration.seconds(10)

    package init(
        outage: SecondsRange? = nil, failureRate: Share = .none, lateRate: Share = .none,
        timeout: Duration = GatewayFaults.standardTimeout
    ) {
        self.outage = outage
        self.failureRate = failureRate
        self.lateRate = lateRate
        self.timeout = timeout
    }

    /// What becomes of one call.
    enum Fate: Equatable {
        case answered
        case unavailable
        case late
    }

    /// - Parameters:
    ///   - age: how long the gateway has been running.
    ///   - draws: two numbers, each from 0 to below 1.
    func fate(at age: Duration, draws: (failure: Double, lateness: Double)) -> Fate {
        if let outage = outage?.milliseconds,
            age >= .milliseconds(outage.lowerBound), age < .milliseconds(outage.upperBound)
        {
            return .unavailable
        }
        if draws.failure < failureRate.value { return .unavailable }
        return draws.lateness < lateRate.value ? .late : .answered
    }
}

/// A gateway that fails now and then, in front of one that does not.
///
/// Faults are drawn at random even in a run with a seed, since a call that is repeated must be able to succeed. The answer
/// to a call depends on its key alone, whichever attempt brings it.
package struct FailingPaymentGateway<Gateway: PaymentGateway, FaultClock: Clock>: PaymentGateway
where FaultClock.Duration == Duration {
    private let gateway: Gateway
    private let faults: GatewayFaults
    private let clock: FaultClock
    private let world: World
    private let start: FaultClock.Instant

    /// Its time begins now.
    package init(_ gateway: Gateway, _ faults: GatewayFaults, clock: FaultClock, in world: World = .real) {
        self.gateway = gateway
        self.faults = faults
        self.clock = clock
        self.world = world
        start = clock.now
    }

    package init(
        _ gateway: Gateway, _ faults: GatewayFaults, in world: World = .real
    ) where FaultClock == WorldClock {
        self.init(gateway, faults, clock: world.clock, in: world)
    }

    package func charge(_ order: Order, identity: OrderIdentity) async throws -> ChargeAnswer {
        var randomness = world.randomness
        let draws = (Double.random(in: 0..<1, using: &randomness), Double.random(in: 0..<1, using: &randomness))
        switch faults.fate(at: start.duration(to: clock.now), draws: draws) {
        case .answered: return try await gateway.charge(order, identity: identity)
        case .unavailable: throw GatewayUnavailable("the payment gateway is unavailable")
        case .late:
            _ = try await gateway.charge(order, identity: identity)
            try await clock.pause(for: faults.timeout)
            throw GatewayUnavailable(
                "the payment gateway did not answer within \(faults.timeout); whether it has charged is not known")
        }
    }
}
