import LocalBroker
import Testbed
import Testing

@testable import ActorBus

/// What a broker holds otherwise, and what a user may do there; asked without changing anything.
@Suite(.logsOnFailure, .timeLimit(.minutes(5))) struct TopologyDifferenceTests {
    @Test func whatIsMissingOrAnotherIsSaidAndNothingIsMade() async throws {
        let (exchange, other, queue) = (unique("exchange"), unique("other"), unique("queue"))
        let held = Topology {
            Exchange(exchange, .fanout)
            Queue(queue)
        }
        try await withConnection(to: SharedBroker.quiet.value.configuration, topology: held) {
            connection in
            #expect(try await connection.differences(from: held).isEmpty)
            let wanted = Topology {
                Exchange(exchange, .direct)
                Exchange(other, .fanout)
                Queue(queue, arguments: ["x-max-length": 5])
                Queue(other).bound(to: exchange)
            }
            for _ in 0..<2 {
                let found = try await connection.differences(from: wanted)
                #expect(
                    found.map(\.resource) == [
                        .exchange(exchange), .exchange(other), .queue(queue), .queue(other),
                    ])
                #expect(found.map { $0.finding == .missing } == [false, true, false, true])
                for difference in found where difference.finding != .missing {
                    guard case .different(let words) = difference.finding else {
                        Issue.record("\(difference)")
                        continue
                    }
                    #expect(words.contains("inequivalent arg"))
                }
            }
            #expect(connection.status.recoveries == 0)
        }
    }

    @Test func permissionsAreFoundOutWithoutUsingThem() async throws {
        let broker = try await SharedBroker.quiet.value
        let (exchange, queue, user) = (unique("exchange"), unique("queue"), unique("user"))
        let held = Topology {
            Exchange(exchange, .fanout)
            Queue(queue).bound(to: exchange)
        }
        try await withConnection(to: broker.configuration, topology: held) { owner in
            try await owner.fill(queue, 1)
            #expect(try await owner.mayPublish(to: exchange))
            #expect(try await owner.mayPublish(to: ""))
            #expect(try await owner.mayConsume(from: queue))

            try await broker.rabbitmqctl(["add_user", user, "secret"])
            var configuration = broker.configuration
            configuration.user = user
            configuration.password = "secret"
            for (write, read) in [("", ""), (exchange, ""), ("", queue)] {
                try await broker.rabbitmqctl(["set_permissions", user, "^$", "^\(write)$", "^\(read)$"])
                try await withConnection(to: configuration) { connection in
                    #expect(try await connection.mayPublish(to: exchange) == !write.isEmpty)
                    #expect(try await connection.mayConsume(from: queue) == !read.isEmpty)
                    let found = try await connection.differences(from: held)
                    #expect(found.count == 2)
                    for difference in found {
                        guard case .unknown = difference.finding else {
                            Issue.record("\(difference)")
                            continue
                        }
                    }
                }
            }
            try await broker.rabbitmqctl(["delete_user", user])
            // Nothing was published, and what was there was not handed out.
            #expect(try await owner.inspect(queue: queue) == QueueDepth(messages: 1, consumers: 0))
            for try await delivery in owner.deliveries(from: queue) {
                #expect(!delivery.redelivered)
                delivery.acknowledge()
                break
            }
        }
    }

    @Test func aNameIsResolvedToNumbers() async throws {
        let endpoint = ConnectionConfiguration.Endpoint(host: "localhost")
        let addresses = try await endpoint.addresses(timeout: .seconds(10))
        #expect(!addresses.isEmpty && addresses.allSatisfy { ["127.0.0.1", "::1"].contains($0) })
        let nobody = ConnectionConfiguration.Endpoint(host: "no-such-host.invalid")
        let error = try await failure("a name that does not resolve") {
            _ = try await nobody.addresses(timeout: .seconds(10))
        }
        #expect(error.code == .brokerUnreachable)
    }
}
