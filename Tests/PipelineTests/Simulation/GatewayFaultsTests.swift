import Synchronization
import Testing

@testable import Pipeline

/// A clock that its sleepers move.
private final class VirtualClock: Clock {
    struct Instant: InstantProtocol {
        let offset: Duration

        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    private let moment = Mutex<Duration>(.zero)

    var now: Instant { Instant(offset: moment.withLock { $0 }) }
    var minimumResolution: Duration { .nanoseconds(1) }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        moment.withLock { $0 = max($0, deadline.offset) }
    }
}

/// Counts charges, one a key.
private final class CountingGateway: PaymentGateway {
    private let keys = Mutex<[OrderIdentity]>([])
    private let decisions = Decisions(seed: nil, successRate: 0.9)

    var calls: [OrderIdentity] { keys.withLock { $0 } }

    func charge(_ order: Order, identity: OrderIdentity) async throws -> ChargeAnswer {
        keys.withLock { $0.append(identity) }
        let decided = decisions.payment(orderID: order.orderID, identity: identity, milliseconds: 1...2)
        return ChargeAnswer(
            outcome: decided.outcome, method: decided.method,
            processingTime: ProcessingTime(milliseconds: decided.milliseconds))
    }
}

@Suite struct GatewayFaultsTests {
    private let order: Order

    init() throws { order = try Order(json: Array(SampleMessages.order.utf8)) }

    private func identity(_ number: Int64) -> OrderIdentity {
        OrderIdentity(origin: "0123456789abcdef", orderID: number)
    }

    @Test func `an outage begins and ends when it should`() throws {
        let faults = GatewayFaults(outage: try SecondsRange("10-70"))
        let fates = [0, 9_999, 10_000, 69_999, 70_000].map { faults.fate(at: .milliseconds($0), draws: (0, 0)) }
        #expect(fates == [.answered, .answered, .unavailable, .unavailable, .answered])
    }

    @Test func `rates are shares of the calls`() throws {
        let faults = GatewayFaults(failureRate: try Share("0.25"), lateRate: try Share("0.5"))
        #expect(faults.fate(at: .zero, draws: (0.24, 0.9)) == .unavailable)
        #expect(faults.fate(at: .zero, draws: (0.25, 0.49)) == .late)
        #expect(faults.fate(at: .zero, draws: (0.25, 0.5)) == .answered)
        let never = GatewayFaults()
        let always = GatewayFaults(failureRate: try Share("1"))
        #expect(never.fate(at: .zero, draws: (0, 0)) == .answered)
        #expect(always.fate(at: .zero, draws: (0.999_999, 0)) == .unavailable)
    }

    @Test func `an outage charges nothing, and passes`() async throws {
        let (clock, inner) = (VirtualClock(), CountingGateway())
        let gateway = FailingPaymentGateway(
            inner, GatewayFaults(outage: try SecondsRange("0-600")), clock: clock)
        await #expect(throws: GatewayUnavailable.self) { try await gateway.charge(order, identity: identity(1)) }
        #expect(inner.calls.isEmpty)
        try await clock.sleep(for: .seconds(600))
        _ = try await gateway.charge(order, identity: identity(1))
        #expect(inner.calls == [identity(1)])
    }

    @Test func `a late answer has charged, and the same key brings the same answer`() async throws {
        let (clock, inner) = (VirtualClock(), CountingGateway())
        let late = FailingPaymentGateway(
            inner, GatewayFaults(lateRate: try Share("1"), timeout: .seconds(10)), clock: clock)
        let error = await #expect(throws: GatewayUnavailable.self) {
            try await late.charge(order, identity: identity(1))
        }
        #expect(error?.description.contains("within 10.0 seconds") == true)
        #expect(clock.now.offset == .seconds(10))
        #expect(inner.calls == [identity(1)])
        let first = try await FailingPaymentGateway(inner, GatewayFaults(), clock: clock)
            .charge(order, identity: identity(1))
        #expect(first == (try await inner.charge(order, identity: identity(1))))
    }
}
