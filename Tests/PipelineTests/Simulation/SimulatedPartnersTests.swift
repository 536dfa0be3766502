import Synchronization
import Testing

@testable import Pipeline

/// A clock on which every wait is over at once, and which remembers the waits.
private final class RecordingClock: Clock {
    struct Instant: InstantProtocol {
        let offset: Duration

        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    private let recorded = Mutex<[Duration]>([])

    var waits: [Duration] { recorded.withLock { $0 } }
    var now: Instant { Instant(offset: .zero) }
    var minimumResolution: Duration { .nanoseconds(1) }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        recorded.withLock { $0.append(deadline.offset) }
    }
}

@Suite("Simulated partners")
struct SimulatedPartnersTests {
    private let order: Order
    private let decisions = Decisions(seed: nil, successRate: 0.9)

    init() throws {
        order = try Order(json: Array(SampleMessages.order.utf8))
    }

    private func identity(_ number: Int64) -> OrderIdentity {
        OrderIdentity(origin: "0123456789abcdef", orderID: number)
    }

    @Test("the gateway answers as decided, after the time drawn, and again the same")
    func gateway() async throws {
        let clock = RecordingClock()
        let pace = Pace(.paymentTime, speed: try Speed("10"))
        let gateway = SimulatedPaymentGateway(decisions: decisions, pace: pace, clock: clock)
        for number in Int64(1)...50 {
            let answer = try await gateway.charge(order, identity: identity(number))
            let decided = decisions.payment(orderID: 42, identity: identity(number), milliseconds: 500...2000)
            #expect(answer.outcome == decided.outcome)
            #expect(answer.method == decided.method)
            #expect(answer.processingTime == ProcessingTime(milliseconds: decided.milliseconds))
            #expect(clock.waits.last == .milliseconds(decided.milliseconds) / 10)
            #expect(try await gateway.charge(order, identity: identity(number)) == answer)
        }
        #expect(clock.waits.count == 100)
    }

    @Test("the carrier books as decided, after the time drawn, and again the same")
    func carrier() async throws {
        let payment = try Payment(json: Array(SampleMessages.payment.utf8))
        let clock = RecordingClock()
        let pace = Pace(.fulfillmentTime, speed: .real)
        let carrier = SimulatedCarrier(decisions: decisions, pace: pace, clock: clock)
        for number in Int64(1)...50 {
            let booking = try await carrier.book(payment, identity: identity(number))
            let decided = decisions.shipment(orderID: 42, identity: identity(number), milliseconds: 1000...3000)
            #expect(booking == decided.booking)
            #expect(clock.waits.last == .milliseconds(decided.milliseconds))
            #expect(try await carrier.book(payment, identity: identity(number)) == booking)
        }
    }

    @Test("at full speed nobody waits, and the times drawn stay the same")
    func fullSpeed() async throws {
        let clock = RecordingClock()
        let fast = SimulatedPaymentGateway(decisions: decisions, pace: Pace(.paymentTime, speed: .max), clock: clock)
        let slow = SimulatedPaymentGateway(
            decisions: decisions, pace: Pace(.paymentTime, speed: .real), clock: RecordingClock())
        let answer = try await fast.charge(order, identity: identity(1))
        #expect(answer == (try await slow.charge(order, identity: identity(1))))
        #expect(clock.waits.isEmpty)
    }

    @Test("cancellation ends the wait", arguments: [Speed.real, .max])
    func cancellation(speed: Speed) async throws {
        let pace = Pace(try SecondsRange("86400"), speed: speed)
        let gateway = SimulatedPaymentGateway(decisions: decisions, pace: pace)
        let carrier = SimulatedCarrier(decisions: decisions, pace: pace)
        let payment = try Payment(json: Array(SampleMessages.payment.utf8))
        let (order, identity) = (order, identity(1))
        let (go, open) = AsyncStream<Void>.makeStream()
        let work = Task {
            // At full speed there is no wait to interrupt: the task is cancelled before it begins.
            if speed == .max { for await _ in go {} }
            async let charged = gateway.charge(order, identity: identity)
            async let booked = carrier.book(payment, identity: identity)
            var errors: [any Error] = []
            do { _ = try await charged } catch { errors.append(error) }
            do { _ = try await booked } catch { errors.append(error) }
            return errors
        }
        work.cancel()
        open.finish()
        let errors = await work.value
        #expect(errors.count == 2)
        #expect(errors.allSatisfy { $0 is CancellationError })
    }

    @Test("the notifier hands notices on")
    func notifier() async throws {
        let box = Box()
        let notifier = SimulatedNotifier { box.append($0) }
        try await notifier.send(Notification(of: order), idempotencyKey: "x/order")
        #expect(box.notifications == [Notification(of: order)])
    }

    private final class Box: Sendable {
        private let list = Mutex<[Notification]>([])
        var notifications: [Notification] { list.withLock { $0 } }
        func append(_ notification: Notification) { list.withLock { $0.append(notification) } }
    }
}
