import Glibc
import LocalBroker

@testable import ActorBusTesting

/// A simulated broker and a real one to which the same is done, by clients and by an operator.
final class OperatedPair {
    let model: BrokerModel
    let real: LocalBroker

    /// The clients of both, which say the same on channel 1.
    final class Client {
        fileprivate let simulated: WireClient
        fileprivate let real: WireClient
        fileprivate var confirmed: UInt64 = 0

        fileprivate init(_ simulated: WireClient, _ real: WireClient) {
            self.simulated = simulated
            self.real = real
        }
    }

    struct Difference: Error, CustomStringConvertible { var description: String }

    private static let patience = Duration.seconds(90)

    init(_ real: LocalBroker) throws {
        self.real = real
        model = BrokerModel(
            version: try DifferentialTests.model(ofBrokerAt: real.nodes[0].amqpPort), epoch: 1_767_600_000_000,
            nodes: real.nodes.count)
    }

    func client(node: Int = 0, user: String = "guest") throws -> Client {
        Client(
            try WireClient(SimulatedWire(model, node: node), user: user),
            try WireClient(SocketWire(port: real.nodes[node].amqpPort), user: user))
    }

    /// Says something to both and compares what they answer, which it returns.
    @discardableResult
    func say(_ operations: Operation..., by client: Client) throws -> [String] {
        var answers: [String] = []
        for operation in operations {
            if case .confirms = operation { client.confirmed = 0 }
            if case .publish = operation {
                client.confirmed += 1
                client.simulated.expectConfirm(client.confirmed, on: 1)
                client.real.expectConfirm(client.confirmed, on: 1)
            }
            try operation.send(by: client.simulated, on: 1)
            try operation.send(by: client.real, on: 1)
            answers += try compare(client, after: "\(operation)")
        }
        return answers
    }

    /// Compares what both have said by now, once the real one has said as much.
    @discardableResult
    func compare(_ client: Client, after what: String) throws -> [String] {
        let expected = client.simulated.answers(milliseconds: 0).map(Self.text)
        var found: [String] = []
        let deadline = ContinuousClock.now + Self.patience
        while found.count < expected.count, !client.real.isClosed, ContinuousClock.now < deadline {
            found += client.real.answers(milliseconds: 20).map(Self.text)
        }
        // Whatever it should not have said.
        found += client.real.answers(milliseconds: 50).map(Self.text)
        guard expected == found else {
            throw Difference(description: "after \(what)\n  simulated: \(expected)\n  real: \(found)")
        }
        return expected
    }

    /// Waits until both say the same of something that the real one takes its time for.
    func settle(_ operation: Operation, by client: Client) throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            do {
                try say(operation, by: client)
                return
            } catch let difference as Difference {
                guard ContinuousClock.now < deadline else { throw difference }
                usleep(100_000)
            }
        }
    }

    /// Names of nodes differ.
    private static func text(_ answer: Answer) -> String {
        let parts = answer.text.split(separator: "home node '", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let end = parts[1].firstIndex(of: "'") else { return answer.text }
        return parts[0] + "home node '…" + parts[1][end...]
    }

    // MARK: What an operator does

    func kill(node: Int) async throws {
        try await real.kill(node: node)
        model.kill(node: node, unsynced: .kept)
    }

    func start(node: Int) async throws {
        try await real.restart(node: node)
        model.start(node: node)
    }
}
