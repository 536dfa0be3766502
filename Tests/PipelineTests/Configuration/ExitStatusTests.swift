import ActorBus
import LocalBroker
import Pipeline
import Testing

@testable import pipeline_run

@Suite struct ExitStatusTests {
    @Test(
        arguments: [
            (AMQPError.Code.brokerUnreachable, 69), (.loginRefused, 77), (.virtualHostRefused, 78),
            (.accessRefused, 78),
            (.preconditionFailed, 78), (.notFound, 78), (.resourceLocked, 78), (.drainTimedOut, 75),
            (.connectionLost, 1),
        ] as [(AMQPError.Code, Int32)])
    func `of the broker's answers`(code: AMQPError.Code, status: Int32) {
        #expect(ExitStatus.of(AMQPError(code, "x")) == status)
    }

    @Test(
        arguments: [
            (.dataDirectoryInUse, 78), (.invalidOption, 78), (.notInstalled, 78), (.fileSystem, 78),
            (.startFailed, 69), (.timedOut, 69), (.notRunning, 69),
        ] as [(LocalBrokerError.Code, Int32)])
    func `of a private broker`(code: LocalBrokerError.Code, status: Int32) {
        #expect(ExitStatus.of(code) == status)
        #expect(ExitStatus.of(PrivateBroker.Gone(description: "x")) == 69)
    }

    @Test func `of what is wrong here`() {
        #expect(ExitStatus.of(ConfigurationError(.usage, "x")) == 64)
        #expect(ExitStatus.of(ConfigurationError(.environment, "x")) == 78)
        #expect(ExitStatus.of(StateError(.inUse, "x", remedy: "y")) == 78)
        #expect(ExitStatus.of(StateError(.full, "x", remedy: "y")) == 1)
        #expect(ExitStatus.of(MalformedMessage("x")) == 1)
    }
}
