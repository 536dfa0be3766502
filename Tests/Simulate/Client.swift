import ActorBus
import ActorBusTesting
import Logging

/// A user of the library: one connection, with what is published and consumed over it.
final class Client: @unchecked Sendable {
    // Unchecked: a simulation has one thread.
    let plan: Scenario.Client
    let number: Int
    let run: Run
    let simulated: SimulatedWorld
    private var connection: AMQPConnection?
    /// Whether its user has closed it, or given up to connect.
    private(set) var isClosed = false
    /// Whether consumers stay.
    private(set) var isSettled = false
    private(set) var isStopped = false
    private var connecting: Task<AMQPConnection?, Never>?
    private var publishing: [Task<Void, Never>] = []
    private var consuming: [Task<Void, Never>] = []
    private var watching: [Task<Void, Never>] = []
    /// The present cycle of each consumer.
    var cycles: [Int: Task<Void, any Error>] = [:]
    /// Publishers that are kept when all is published.
    var publishers: [Int: Publisher] = [:]
    private var worlds: [ClientWorld] = []

    init(_ number: Int, of run: Run) {
        self.number = number
        self.run = run
        simulated = run.simulated
        plan = run.scenario.clients[number]
    }

    // MARK: Its life

    func live() async {
        let connecting = simulated.task { await self.connect() }
        self.connecting = connecting
        if let closes = plan.closes {
            simulated.task {
                do { try await self.run.pause(for: closes) } catch { return }
                self.simulated.tell("client \(self.number) closes")
                self.isClosed = true
                connecting.cancel()
                if let connection = await connecting.value { await self.close(connection) }
            }
        }
        guard let connection = await connecting.value else { return }
        self.connection = connection
        guard !isClosed else { return await close(connection) }
        watch(connection)
        for (index, plan) in plan.publishers.enumerated() {
            publishing.append(simulated.task { await self.publish(plan, index, over: connection) })
        }
        for (index, plan) in plan.consumers.enumerated() {
            consuming.append(simulated.task { await self.consume(plan, index, over: connection) })
        }
    }

    private func connect() async -> AMQPConnection? {
        repeat {
            do {
                return try await connectOnce()
            } catch is CancellationError {
                return nil
            } catch let error as AMQPError where run.scenario.mayBeRefused(error) {
                // A user who comes back in a while.
                do { try await simulated.sleep(for: .seconds(1)) } catch { return nil }
            } catch {
                run.find("client \(number) could not connect: \(error)")
                return nil
            }
        } while !isClosed
        return nil
    }

    private func connectOnce() async throws -> AMQPConnection {
        var configuration = ConnectionConfiguration(endpoints: run.nodeNames.map { .init(host: $0) })
        configuration.heartbeat = run.scenario.heartbeat
        configuration.connectTimeout = .seconds(3)
        configuration.connectAttempts = 1_000
        configuration.connectDelay = .milliseconds(500)
        configuration.replyTimeout = .seconds(5)
        configuration.recoveryPatience = .seconds(2)
        configuration.blockedTimeout = .seconds(15)
        configuration.recoveryDelay = .milliseconds(50)...(.seconds(3))
        configuration.name = "client \(number)"
        let world = ClientWorld(
            simulated,
            law: AttemptLaw(
                hosts: configuration.endpoints.count, firstPause: configuration.connectDelay,
                pauses: configuration.recoveryDelay))
        worlds.append(world)
        configuration.world = World(world)
        let log = RunLog(run, client: number)
        let logger = Logger(label: "client \(number)", factory: { _ in log })
        let connection = try await AMQPConnection.connect(configuration, topology: run.topology, logger: logger)
        world.law.opens(at: simulated.elapsed)
        return connection
    }

    private func close(_ connection: AMQPConnection) async {
        let begin = simulated.elapsed
        run.handedOut.closes(client: number, at: begin)
        await connection.close()
        if simulated.elapsed - begin > .milliseconds(2_500) {
            run.find("client \(number) took \(simulated.elapsed - begin) to close")
        }
        if connection.status.state != .closed {
            run.find("client \(number) is closed, and its status says \(connection.status.state)")
        }
        let books = await connection.books
        if books != AMQPConnection.Books() { run.find("client \(number) is closed, and has \(books) in its books") }
    }

    /// Consumers stay from now on.
    func settleDown() { isSettled = true }

    /// That it is as it should be when nothing has befallen it for long enough.
    func checkReady() async {
        guard !isClosed else { return }
        guard let connection else { return run.find("client \(number) is not connected") }
        let status = connection.status
        if let reason = status.notReadyReason { run.find("client \(number) is not ready: \(reason)") }
        if status.consumers != plan.consumers.count || status.registeredConsumers != plan.consumers.count {
            run.find(
                "client \(number) wants \(plan.consumers.count) consumers, and its status has \(status.consumers), of which "
                    + "\(status.registeredConsumers) are registered")
        }
        let books = await connection.books
        if books.consumers != plan.consumers.count || books.publishers > plan.publishers.count || books.waiters > 0 {
            run.find("client \(number) has \(books) in its books, for \(plan.consumers.count) consumers")
        }
        for (index, publisher) in publishers.sorted(by: { $0.key < $1.key }) { await probe(publisher, index) }
    }

    func hasPublished() async {
        for task in publishing { await task.value }
        publishers = [:]
    }

    func stop() async {
        isStopped = true
        for (_, cycle) in cycles.sorted(by: { $0.key < $1.key }) { cycle.cancel() }
        for task in consuming { await task.value }
        if let connection { await close(connection) }
        isClosed = true
        (connection, connecting, publishing, consuming, cycles) = (nil, nil, [], [], [:])
        for task in watching { await task.value }
    }

    /// What can be said of it when the run is over.
    var findings: [String] {
        worlds.flatMap { world in
            world.law.findings + (world.sleepers > 0 ? ["\(world.sleepers) pauses were never over"] : [])
        }.map { "client \(number): \($0)" }
    }

    // MARK: What it is told

    private func watch(_ connection: AMQPConnection) {
        guard plan.reading != .nothing, let world = worlds.last else { return }
        let (events, recoveries) = (connection.events, connection.status.recoveries)
        let order = EventReader()
        watching.append(
            simulated.task {
                for await event in events {
                    world.law.tells(event, at: self.simulated.elapsed)
                    self.simulated.tell("client \(self.number) reads \(event)")
                    if let fault = order.events.take(event) ?? self.run.doubt(of: event) {
                        self.run.find("client \(self.number): \(fault)")
                    }
                }
                if order.events.phase != .closed { self.run.find("the events of client \(self.number) just ended") }
            })
        watching.append(simulated.task { await self.compare(order, with: connection, after: recoveries) })
        guard plan.reading == .slowly else { return }
        let late = connection.events
        watching.append(
            simulated.task {
                var last: ConnectionEvent?
                for await event in late {
                    last = event
                    guard !self.isClosed, !self.isStopped else { continue }
                    do { try await self.simulated.sleep(for: self.run.duration(upTo: .seconds(20))) } catch { return }
                }
                if last != .closed(nil) { self.run.find("the last event of client \(self.number) was not its end") }
            })
    }

    /// Looks now and then whether the status says what the events say, and what the broker has.
    private func compare(_ order: EventReader, with connection: AMQPConnection, after recoveries: UInt64) async {
        while order.events.phase != .closed {
            let (status, channels) = (connection.status, openChannels)
            // What is told now is read in a moment.
            do { try await simulated.sleep(for: .milliseconds(20)) } catch { return }
            if status == connection.status,
                let difference = order.events.difference(from: status, recoveries: recoveries)
            {
                run.find("client \(number): \(difference)")
            }
            await compare(status, channels, with: connection)
            do { try await simulated.sleep(for: run.duration(upTo: .seconds(10))) } catch { return }
        }
    }

    /// The channels that the broker has of it; nil where it has no connection.
    private var openChannels: [UInt16]? {
        let mine = run.broker.connections.filter { $0.name == "client \(number)" }
        return mine.count == 1 ? mine.first?.channels : nil
    }

    /// That the broker has a channel for each publisher and consumer of a connection that says it is ready.
    private func compare(_ status: ConnectionStatus, _ channels: [UInt16]?, with connection: AMQPConnection) async {
        guard status.isReady, let channels, !run.scenario.isSilencing else { return }
        let books = await connection.books
        // A channel's end and the opening of the next are under way for as long as the network takes.
        do { try await simulated.sleep(for: .milliseconds(500)) } catch { return }
        guard status == connection.status, channels == openChannels, await books == connection.books else { return }
        let wanted = books.publishers - books.released + status.registeredConsumers
        if channels.count < wanted {
            run.find(
                "client \(number) says that it is ready, and has \(channels.count) channels where it needs \(wanted)")
        }
    }
}

private final class EventReader: @unchecked Sendable {
    // Unchecked: a simulation has one thread.
    var events = EventOrder()
}
