import ActorBus
import ActorBusTesting
import Logging

/// A user of the library: one connection, with what is published and consumed over it.
final class Client: @unchecked Sendable {
    // Unchecked: a simulation has one thread.
    let plan: Scenario.Client
    private let number: Int
    private let run: Run
    private let simulated: SimulatedWorld
    private var connection: AMQPConnection?
    /// Whether its user has closed it, or given up to connect.
    private(set) var isClosed = false
    private var isSettled = false
    private var isStopped = false
    private var connecting: Task<AMQPConnection?, Never>?
    private var publishing: [Task<Void, Never>] = []
    private var consuming: [Task<Void, Never>] = []
    private var cycles: [Int: Task<Void, any Error>] = [:]

    init(_ number: Int, of run: Run) {
        self.number = number
        self.run = run
        simulated = run.simulated
        plan = run.scenario.clients[number]
    }

    func live() async {
        let connecting = simulated.task { await self.connect() }
        self.connecting = connecting
        if let closes = plan.closes {
            simulated.task {
                do { try await self.simulated.sleep(for: closes) } catch { return }
                self.simulated.tell("client \(self.number) closes")
                self.isClosed = true
                connecting.cancel()
                if let connection = await connecting.value { await self.close(connection) }
            }
        }
        guard let connection = await connecting.value else { return }
        self.connection = connection
        guard !isClosed else { return await close(connection) }
        for (index, plan) in plan.publishers.enumerated() {
            publishing.append(simulated.task { await self.publish(plan, index, over: connection) })
        }
        for (index, plan) in plan.consumers.enumerated() {
            consuming.append(simulated.task { await self.consume(plan, index, over: connection) })
        }
    }

    private func connect() async -> AMQPConnection? {
        var configuration = ConnectionConfiguration(endpoints: run.nodeNames.map { .init(host: $0) })
        configuration.world = simulated.world
        configuration.heartbeat = run.scenario.heartbeat
        configuration.connectTimeout = .seconds(3)
        configuration.connectAttempts = 1_000
        configuration.connectDelay = .milliseconds(500)
        configuration.replyTimeout = .seconds(5)
        configuration.recoveryPatience = .seconds(2)
        configuration.blockedTimeout = .seconds(15)
        configuration.recoveryDelay = .milliseconds(50)...(.seconds(3))
        configuration.name = "client \(number)"
        let log = RunLog(run, client: number)
        let logger = Logger(label: "client \(number)", factory: { _ in log })
        do {
            return try await AMQPConnection.connect(configuration, topology: run.topology, logger: logger)
        } catch is CancellationError {
            return nil
        } catch {
            run.find("client \(number) could not connect: \(error)")
            return nil
        }
    }

    private func close(_ connection: AMQPConnection) async {
        let begin = simulated.elapsed
        await connection.close()
        if simulated.elapsed - begin > .milliseconds(2_500) {
            run.find("client \(number) took \(simulated.elapsed - begin) to close")
        }
        if connection.status.state != .closed {
            run.find("client \(number) is closed, and its status says \(connection.status.state)")
        }
    }

    /// Consumers stay from now on.
    func settleDown() { isSettled = true }

    func checkReady() {
        guard !isClosed else { return }
        guard let connection else { return run.find("client \(number) is not connected") }
        let status = connection.status
        if let reason = status.notReadyReason { run.find("client \(number) is not ready: \(reason)") }
        if status.consumers != plan.consumers.count || status.registeredConsumers != plan.consumers.count {
            run.find(
                "client \(number) wants \(plan.consumers.count) consumers, and its status has \(status.consumers), of which "
                    + "\(status.registeredConsumers) are registered")
        }
    }

    func hasPublished() async {
        for task in publishing { await task.value }
    }

    func stop() async {
        isStopped = true
        for (_, cycle) in cycles.sorted(by: { $0.key < $1.key }) { cycle.cancel() }
        for task in consuming { await task.value }
        if let connection { await close(connection) }
        connection = nil
    }

    // MARK: Publishing

    private func publish(_ plan: Scenario.PublisherPlan, _ index: Int, over connection: AMQPConnection) async {
        let publisher: Publisher
        do {
            publisher = try await connection.publisher(window: plan.window, timeout: plan.timeout)
        } catch {
            if !isClosed { run.find("client \(number) got no publisher: \(error)") }
            return
        }
        let tasks = (0..<plan.tasks).map { task in
            simulated.task {
                var sent: [Sent] = []
                for message in 0..<max(1, plan.messages / plan.tasks) {
                    let name = "c\(self.number)p\(index)t\(task)m\(message)"
                    if plan.sendsAhead {
                        if let message = await self.send(name, publisher) { sent.append(message) }
                    } else {
                        await self.publish(name, plan, publisher)
                    }
                    do { try await self.simulated.sleep(for: self.run.duration(upTo: plan.pause)) } catch { return }
                }
                for message in sent { await self.confirm(message) }
            }
        }
        for task in tasks { await task.value }
    }

    private func message(_ name: String) -> Message {
        Message(body: Array("body of \(name)".utf8), properties: MessageProperties(messageID: name))
    }

    private func publish(_ name: String, _ plan: Scenario.PublisherPlan, _ publisher: Publisher) async {
        let isUnroutable = run.chance(plan.unroutable)
        let queue = isUnroutable ? nil : run.anyQueue()
        let task = simulated.task {
            try await publisher.publish(
                self.message(name), to: "", routingKey: queue.map(Run.queueName) ?? "nowhere")
        }
        if run.chance(plan.cancelled) {
            let patience = run.duration(upTo: .milliseconds(run.chance(50) ? 5 : 2_000))
            simulated.task {
                do { try await self.simulated.sleep(for: patience) } catch { return }
                task.cancel()
            }
        }
        do {
            try await task.value
            run.note(.confirmed, of: name, to: queue)
        } catch is CancellationError {
            run.note(.surelyNotPublished, of: name, to: queue)
        } catch {
            note(error, of: name, to: queue)
        }
    }

    /// A message that was sent, and its confirm not yet waited for.
    private struct Sent {
        let name: String
        let queue: Int
        let pending: PendingConfirm
    }

    private func send(_ name: String, _ publisher: Publisher) async -> Sent? {
        let queue = run.anyQueue()
        do {
            let pending = try await publisher.send(message(name), to: "", routingKey: Run.queueName(queue))
            return Sent(name: name, queue: queue, pending: pending)
        } catch {
            note(error, of: name, to: queue)
            return nil
        }
    }

    private func confirm(_ sent: Sent) async {
        do {
            try await sent.pending.confirmed()
            run.note(.confirmed, of: sent.name, to: sent.queue)
        } catch {
            note(error, of: sent.name, to: sent.queue)
        }
    }

    private func note(_ error: any Error, of name: String, to queue: Int?) {
        guard let error = error as? AMQPError else {
            return run.find("\(name) failed with something else: \(error)")
        }
        switch error.code {
        case .returned: run.note(.returned, of: name, to: queue)
        case .refused: run.note(.refused, of: name, to: queue)
        case .maybePublished: run.note(.maybePublished, of: name, to: queue)
        case .timedOut: run.note(.surelyNotPublished, of: name, to: queue)
        case .connectionClosed:
            if !isClosed { run.find("\(name) failed as on a closed connection, which it is not: \(error)") }
            run.note(.surelyNotPublished, of: name, to: queue)
        default: run.find("\(name) has an outcome that no publish has: \(error)")
        }
    }

    // MARK: Consuming

    private func consume(_ plan: Scenario.ConsumerPlan, _ index: Int, over connection: AMQPConnection) async {
        let key = index
        while !isStopped {
            let cycle = simulated.task {
                switch plan.style {
                case .process: try await self.process(plan, over: connection)
                case .deliveries: try await self.iterate(plan, over: connection)
                }
            }
            cycles[key] = cycle
            if let span = plan.span, !isSettled {
                simulated.task {
                    do { try await self.simulated.sleep(for: span) } catch { return }
                    if !self.isSettled { cycle.cancel() }
                }
            }
            do {
                try await cycle.value
                if !cycle.isCancelled, !isClosed { return run.find("a consumer of client \(number) ended by itself") }
            } catch let error as AMQPError where isClosed && error.code == .connectionClosed {
                return
            } catch {
                return run.find("a consumer of client \(number) ended: \(error)")
            }
            if isClosed { return }
            // A cycle that is cancelled before it began takes no time at all.
            do { try await simulated.sleep(for: .milliseconds(1)) } catch { return }
        }
    }

    private func process(_ plan: Scenario.ConsumerPlan, over connection: AMQPConnection) async throws {
        let over = Flag()
        defer { over.isSet = true }
        try await connection.process(
            Run.queueName(plan.queue), prefetch: plan.prefetch, concurrency: plan.concurrency,
            drainTimeout: .seconds(10)
        ) { delivery in
            if over.isSet { self.run.find("a handler was given a delivery after its consumer had ended") }
            try await self.simulated.sleep(for: self.run.duration(upTo: plan.handling))
            if self.run.chance(plan.failures) {
                if self.run.chance(50) { return .requeue }
                throw HandlerFailure()
            }
            return .acknowledge
        }
    }

    private func iterate(_ plan: Scenario.ConsumerPlan, over connection: AMQPConnection) async throws {
        for try await delivery in connection.deliveries(from: Run.queueName(plan.queue), prefetch: plan.prefetch) {
            // Work in hand is finished, cancelled or not.
            let work = simulated.task { try await self.simulated.sleep(for: self.run.duration(upTo: plan.handling)) }
            _ = await work.result
            delivery.settle(run.chance(plan.failures) ? .requeue : .acknowledge)
        }
    }
}

private struct HandlerFailure: Error {}

private final class Flag: @unchecked Sendable {
    // Unchecked: a simulation has one thread.
    var isSet = false
}
