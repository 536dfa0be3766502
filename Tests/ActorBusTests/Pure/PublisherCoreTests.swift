import Testing

@testable import ActorBus

@Suite struct PublisherCoreTests {
    /// The broker may confirm a message after the connection has given it up, while it is being closed.
    @Test func aConfirmThatComesTooLateIsNoViolation() throws {
        let core = PublisherCore(window: 10, timeout: .seconds(1), world: .real)
        let channel = Channel(number: 1)
        core.attach(channel)
        core.failAll(AMQPError(.connectionClosed, "the connection is being closed"))
        try channel.receive(.basicAck(deliveryTag: 1, multiple: false))
        #expect(channel.user == nil)
    }

    @Test func aConfirmForWhatWasNeverPublishedIsAViolation() throws {
        let core = PublisherCore(window: 10, timeout: .seconds(1), world: .real)
        let channel = Channel(number: 1)
        core.attach(channel)
        #expect(throws: AMQPError.self) { try channel.receive(.basicAck(deliveryTag: 1, multiple: false)) }
        // Ends the cycle of the two, as the session does.
        channel.close(AMQPError(.connectionClosed, "over"))
    }

    private func request(in window: SendWindow) -> PublishRequest {
        let request = PublishRequest(
            publisher: 1, message: Message(text: "m"), exchange: "x", routingKey: "", mandatory: true)
        request.tell(PendingOutcome(), in: window)
        return request
    }

    /// The time-out of a body that is written piece by piece counts from the last piece, also while it waits to be written
    /// again, and those behind it keep their own.
    @Test func whatGetsOnHasMoreTimeThanWhatWaits() {
        let window = SendWindow(size: 10)
        let core = PublisherCore(window: 10, timeout: .seconds(10), world: .real)
        let start = Instant(nanoseconds: 0)
        let channel = Channel(number: 1)
        core.attach(channel)
        let (large, behind, last) = (request(in: window), request(in: window), request(in: window))
        core.submit(large, now: start)
        large.lastProgress = start
        core.wasPublished(large)
        core.submit(behind, now: start + .seconds(1))
        core.submit(last, now: start + .seconds(3))
        large.lastProgress = start + .seconds(9)
        core.expire(now: start + .seconds(10))
        #expect(large.isAwaited && behind.isAwaited && core.nextDeadline == start + .seconds(11))
        channel.close(AMQPError(.connectionLost, "gone"))
        core.expire(now: start + .seconds(11))
        #expect(large.isAwaited && !behind.isAwaited && last.isAwaited)
        #expect(core.nextDeadline == start + .seconds(13))
        core.expire(now: start + .seconds(13))
        #expect(large.isAwaited && !last.isAwaited && core.nextDeadline == start + .seconds(19))
        core.expire(now: start + .seconds(19))
        #expect(!large.isAwaited && core.nextDeadline == nil)
    }

    /// What only writes again what was written before does not get on: a message that breaks every connection must end.
    @Test func whatIsRepeatedIsNoProgress() {
        let request = request(in: SendWindow(size: 10))
        let first = OutgoingBody(request, on: Channel(number: 1))
        first.position = 100
        first.progressed(at: Instant(nanoseconds: 5))
        #expect(request.lastProgress == Instant(nanoseconds: 5))
        let second = OutgoingBody(request, on: Channel(number: 1))
        second.position = 100
        second.progressed(at: Instant(nanoseconds: 6))
        #expect(request.lastProgress == Instant(nanoseconds: 5))
        second.position = 101
        second.progressed(at: Instant(nanoseconds: 7))
        #expect(request.lastProgress == Instant(nanoseconds: 7))
    }
}
