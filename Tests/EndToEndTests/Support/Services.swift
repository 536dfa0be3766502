import Foundation
import Testing

extension ChildProcess {
    /// Where a service shows metrics and health, from the line in which it says so.
    func port(of service: String? = nil, within limit: Duration = .seconds(30)) async throws -> UInt16 {
        let service = service ?? name
        let line = try await within(limit, "the metrics address of \(self.report)") { [errors] in
            await errors.first { $0.contains("Metrics and health on") && $0.contains("\"service\":\"\(service)\"") }
        }
        guard let line, let match = line.firstMatch(of: /http:\/\/127\.0\.0\.1:([0-9]+)\/metrics/),
            let port = UInt16(match.1)
        else { throw Overdue("no metrics address: \(report)") }
        return port
    }

    func metrics(of service: String? = nil) async throws -> Exposition {
        let response = try await HTTP.get(try await port(of: service), "/metrics")
        guard response.status == 200 else { throw Overdue("/metrics of \(name) answers \(response.status)") }
        return try Exposition(response.body)
    }

    func ready(_ service: String? = nil) async throws -> HTTP.Response {
        try await HTTP.get(try await port(of: service), "/readyz")
    }

    /// Waits until it says that it is ready.
    func becomesReady(_ service: String? = nil, within limit: Duration = .seconds(30)) async throws {
        try await eventually(within: limit, "readiness of \(report)") { try await ready(service).status == 200 }
    }

    /// Asks it to drain, and expects that it ends well.
    func drains(within limit: Duration = .seconds(30), sourceLocation: SourceLocation = #_sourceLocation) async throws {
        signal(SIGTERM)
        let exit = try await exit(within: limit)
        #expect(exit.code == 0, "\(report)", sourceLocation: sourceLocation)
    }
}

/// The five processes of a deployment: four services, payment twice.
struct Fleet: Sendable {
    let payments: [ChildProcess]
    let fulfillment: ChildProcess
    let notification: ChildProcess

    var consumers: [ChildProcess] { payments + [fulfillment, notification] }

    /// Starts the four that consume, and returns when all are ready.
    static func start(
        _ scene: Scene, on host: VirtualHost, _ flags: [String] = ["--speed", "max"],
        environment: [String: String] = [:]
    ) async throws -> Fleet {
        func start(_ role: String) async throws -> ChildProcess {
            try await scene.start([role] + flags, on: host, environment: environment)
        }
        let fleet = Fleet(
            payments: [try await start("payment"), try await start("payment")],
            fulfillment: try await start("fulfillment"), notification: try await start("notification"))
        for consumer in fleet.consumers { try await consumer.becomesReady() }
        return fleet
    }

    /// Ends all in good order.
    func drain(within limit: Duration = .seconds(30)) async throws {
        for consumer in consumers { consumer.signal(SIGTERM) }
        for consumer in consumers {
            let exit = try await consumer.exit(within: limit)
            #expect(exit.code == 0, "\(consumer.report)")
        }
    }
}

extension VirtualHost {
    /// Expects that these consumers, when no more orders come, leave every queue of the pipeline empty and end well.
    func isEmptied(by consumers: [ChildProcess], sourceLocation: SourceLocation = #_sourceLocation) async throws {
        // Notices come last, and nobody but their queues knows of those that are not sent yet.
        try await waits(for: 0, in: Contract.mainQueues, within: .seconds(60))
        for consumer in consumers { consumer.signal(SIGTERM) }
        for consumer in consumers {
            let exit = try await consumer.exit(within: .seconds(30))
            #expect(exit.code == 0, "\(consumer.report)", sourceLocation: sourceLocation)
        }
        let depths = try await depths(of: Contract.mainQueues + Contract.deadLetterQueues)
        #expect(depths.values.allSatisfy { $0 == 0 }, "\(depths)", sourceLocation: sourceLocation)
    }
}

/// The line of data that `all` ends with.
struct RunResult: Decodable, Sendable {
    let orders: Int
    let paymentsSuccess: Int
    let paymentsFailed: Int
    let shipments: Int
    let notifications: Int
    let deadLettered: Int
    let redelivered: Int
    let lost: Int

    /// Reads it, and expects that it stands alone on standard output.
    init(of process: ChildProcess, sourceLocation: SourceLocation = #_sourceLocation) throws {
        #expect(process.output.lines.count == 1, "\(process.report)", sourceLocation: sourceLocation)
        guard let line = process.output.lines.last else { throw Overdue("no result: \(process.report)") }
        self = try JSONDecoder.ofSnakes.decode(RunResult.self, from: Data(line.utf8))
    }

    /// Whether the numbers fit together for a run in which every order is settled.
    func expectSettled(orders expected: Int, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(orders == expected, sourceLocation: sourceLocation)
        #expect(paymentsSuccess + paymentsFailed == expected, sourceLocation: sourceLocation)
        #expect(shipments == paymentsSuccess, sourceLocation: sourceLocation)
        #expect(notifications == 2 * expected + shipments, sourceLocation: sourceLocation)
        #expect(lost == 0, sourceLocation: sourceLocation)
        #expect(deadLettered == 0, sourceLocation: sourceLocation)
    }
}
