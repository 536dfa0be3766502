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
            #expect(try await owner.mayPublish(to: exchange) == .granted)
            #expect(try await owner.mayPublish(to: "") == .granted)
            #expect(try await owner.mayConsume(from: queue) == .granted)
            #expect(try await owner.mayBind(queue, to: exchange) == .granted)

            try await broker.rabbitmqctl(["add_user", user, "secret"])
            var configuration = broker.configuration
            configuration.user = user
            configuration.password = "secret"
            for (write, read) in [("", ""), (exchange, ""), ("", queue)] {
                try await broker.rabbitmqctl(["set_permissions", user, "^$", "^\(write)$", "^\(read)$"])
                try await withConnection(to: configuration) { connection in
                    #expect(try await connection.mayPublish(to: exchange) == (write.isEmpty ? .refused : .granted))
                    #expect(try await connection.mayConsume(from: queue) == (read.isEmpty ? .refused : .granted))
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
            // Nothing was published, what was there was not handed out, and the queue is bound as it was.
            #expect(try await owner.inspect(queue: queue) == QueueDepth(messages: 1, consumers: 0))
            for try await delivery in owner.deliveries(from: queue) {
                #expect(!delivery.redelivered)
                delivery.acknowledge()
                break
            }
            try await owner.publisher().publish(Message(text: "bound"), to: exchange)
            #expect(try await owner.inspect(queue: queue).messages == 1)
        }
    }

    /// Of what exists, and of what does not.
    @Test(arguments: [true, false]) func eachRightToDeclareAndToBindIsAskedByItself(exists: Bool) async throws {
        let broker = try await SharedBroker.quiet.value
        let (exchange, queue, user) = (unique("exchange"), unique("queue"), unique("user"))
        let alternate = unique("dead")
        let wanted = Topology {
            Exchange(exchange, .fanout)
            Queue(queue).bound(to: exchange)
        }
        let moving = Queue(unique("moving"), .quorum(), arguments: ["x-dead-letter-exchange": .string(alternate)])
        try await broker.rabbitmqctl(["add_user", user, "secret"])
        var configuration = broker.configuration
        configuration.user = user
        configuration.password = "secret"
        try await withConnection(to: broker.configuration, topology: exists ? wanted : Topology()) { owner in
            for (configure, write, read) in [
                ("", "", ""), (exchange, "", exchange), (queue, queue, ""), ("", queue, exchange),
                (moving.name, "", moving.name), (moving.name, alternate, ""), (moving.name, alternate, moving.name),
            ] {
                try await broker.rabbitmqctl(["set_permissions", user, "^\(configure)$", "^\(write)$", "^\(read)$"])
                try await withConnection(to: configuration) { connection in
                    let rights = "configure '\(configure)', write '\(write)', read '\(read)'"
                    func expect(_ answer: Permission, _ isGranted: Bool, _ what: String) {
                        #expect(answer == (isGranted ? .granted : .refused), "\(what): \(rights)")
                    }
                    expect(try await connection.mayDeclare(wanted.exchanges[0]), configure == exchange, "exchange")
                    expect(try await connection.mayDeclare(wanted.queues[0]), configure == queue, "queue")
                    expect(
                        try await connection.mayBind(queue, to: exchange), write == queue && read == exchange, "bind")
                    expect(
                        try await connection.mayDeclare(moving),
                        configure == moving.name && write == alternate && read == moving.name, "dead-lettering queue")
                    expect(try await connection.mayPublish(to: exchange), write == exchange, "publish")
                    expect(try await connection.mayConsume(from: queue), read == queue, "consume")
                }
            }
            // Nothing was made, and nothing was changed.
            let differences = try await owner.differences(from: wanted)
            #expect(exists ? differences.isEmpty : differences.map(\.finding) == [.missing, .missing])
            #expect(try await owner.differences(from: Topology(queues: [moving])).map(\.finding) == [.missing])
        }
        try await broker.rabbitmqctl(["delete_user", user])
    }

    /// A broker in an alarm reads nothing more from a connection that has published, and tells it so.
    @Test func aBrokerThatTakesNoMessagesSaysWhy() async throws {
        let broker = try await LocalBroker.start()
        var configuration = broker.configuration
        configuration.replyTimeout = .seconds(3)
        try await withConnection(to: configuration) { watching in
            try await broker.rabbitmqctl(["set_vm_memory_high_watermark", "0"])
            try await withConnection(to: configuration) { publishing in
                var reason: String?
                // The first may be answered, since it was read.
                for _ in 0..<2 {
                    if case .blocked(let words) = try await publishing.mayPublish(to: "") { reason = words }
                }
                #expect(reason?.contains("memory") == true, "\(reason ?? "nothing")")
            }
            #expect(try await watching.mayConsume(from: "no such queue") == .granted)
            try await broker.rabbitmqctl(["set_vm_memory_high_watermark", "0.6"])
            try await withConnection(to: configuration) { publishing in
                for _ in 0..<2 {
                    let answer = try await publishing.mayPublish(to: "")
                    #expect(answer == .granted)
                }
            }
        }
        await broker.stop()
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
