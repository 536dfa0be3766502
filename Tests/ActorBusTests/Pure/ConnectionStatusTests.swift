import Testing

@testable import ActorBus

@Suite struct ConnectionStatusTests {
    private func status(
        _ state: ConnectionStatus.State, consumers: Int = 0, registered: Int = 0, problem: String? = nil
    ) -> ConnectionStatus {
        var status = ConnectionStatus()
        status.state = state
        status.consumers = consumers
        status.registeredConsumers = registered
        status.problem = problem
        return status
    }

    @Test func isReadyOnlyWhenOpenWithEveryConsumer() {
        #expect(status(.open).isReady)
        #expect(status(.open, consumers: 2, registered: 2).isReady)
        #expect(!status(.open, consumers: 2, registered: 1).isReady)
        for state in [ConnectionStatus.State.connecting, .recovering, .closed] { #expect(!status(state).isReady) }
    }

    @Test func isNotReadyWhileAPublisherHasNoChannel() {
        var status = status(.open)
        status.unattachedPublishers = 1
        #expect(!status.isReady && status.notReadyReason == "1 publisher waits for a channel")
        status.unattachedPublishers = 2
        #expect(status.notReadyReason == "2 publishers wait for a channel")
    }

    @Test func saysWhyItIsNotReady() {
        #expect(status(.open).notReadyReason == nil)
        #expect(status(.connecting).notReadyReason == "connecting to the broker")
        #expect(
            status(.recovering, problem: "gone").notReadyReason
                == "the connection to the broker is being restored: gone")
        #expect(status(.closed, problem: "done").notReadyReason == "the connection is closed: done")
        #expect(
            status(.open, consumers: 3, registered: 1).notReadyReason
                == "1 of 3 consumers are registered with the broker")
    }

    @Test func theReasonIsOneLine() {
        for state in [ConnectionStatus.State.connecting, .recovering, .closed] {
            #expect(status(state, problem: "a").notReadyReason?.contains("\n") == false)
        }
    }
}
