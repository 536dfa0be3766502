import Testing

@testable import ActorBus

@Suite struct PublisherCoreTests {
    /// The broker may confirm a message after the connection has given it up, while it is being closed.
    @Test func aConfirmThatComesTooLateIsNoViolation() throws {
        let core = PublisherCore(window: 10, timeout: .seconds(1))
        let channel = Channel(number: 1)
        core.attach(channel)
        core.failAll(AMQPError(.connectionClosed, "the connection is being closed"))
        try channel.receive(.basicAck(deliveryTag: 1, multiple: false))
        #expect(channel.user == nil)
    }

    @Test func aConfirmForWhatWasNeverPublishedIsAViolation() throws {
        let core = PublisherCore(window: 10, timeout: .seconds(1))
        let channel = Channel(number: 1)
        core.attach(channel)
        #expect(throws: AMQPError.self) { try channel.receive(.basicAck(deliveryTag: 1, multiple: false)) }
        // Ends the cycle of the two, as the session does.
        channel.close(AMQPError(.connectionClosed, "over"))
    }
}
