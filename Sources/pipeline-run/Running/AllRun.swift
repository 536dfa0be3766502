import ActorBus
import Logging
import Pipeline

/// All four services in one process, with a broker of its own where none is named.
struct AllRun: Sendable {
    /// What the run waits for.
    private enum Moment: Sendable {
        case stopWanted
        case ended(ServiceKind, (any Error)?)
        /// Every order of the run is settled, or nothing moves any more.
        case settled
        /// The private broker ended and cannot be brought back.
        case brokerIsGone(any Error)
    }

    /// How it went, once the services have ended.
    struct Outcome: Sendable {
        let summary: RunSummary
        let remainder: QueueWatch.Remainder
        /// What ended it before its time.
        let failure: (any Error)?

        /// Of a run that was stopped before anything was in hand.
        static let nothing = Outcome(
            summary: RunSummary(OrderTally(), elapsed: .zero), remainder: QueueWatch.Remainder(), failure: nil)
    }

    /// The generator is held back while so many orders are open, which bounds the memory of a run. On a private broker
    /// queues stay short and notices prompt; on a shared one, others may be slow with our orders.
    private static let mostOpen = (privateBroker: 256, sharedBroker: 10_000)
    private static let summaryInterval = Duration.seconds(10)

    let configuration: RunConfiguration
    let logs: LogOutput
    /// Ends intake; what is in hand is finished.
    let stop: StopSignal

    /// Runs until the stop signal and the drain after it, or until all orders of the run are settled.
    ///
    /// What cannot be had at the start (a port, the state folder, the broker) is thrown; what ends a run under way is
    /// the outcome's `failure`.
    func run() async throws -> Outcome {
        do {
            return try await runServices()
        } catch is CancellationError where stop.isStopped {
            return .nothing
        }
    }

    private func runServices() async throws -> Outcome {
        let book = RunBook(
            mostOpen: configuration.broker == nil ? Self.mostOpen.privateBroker : Self.mostOpen.sharedBroker)
        let console = Console(logs, configuration, progressOf: book)
        let recent = configuration.dashboardPort.map { _ in RecentOrders() }
        let factory = ServiceFactory(
            configuration, logs: logs,
            observer: PipelineObserver { event in
                book.note(event)
                recent?.note(event)
                console.show(event)
            })
        let logger = logs.logger(service: "pipeline")
        let contexts = ServiceKind.allCases.map { factory.context($0) }
        let folder = try configuration.stateFolder()
        return try await console.whilePrinting {
            // Ports and folder first: what cannot be had is known before a broker is started.
            let admins = try contexts.map { try Admin($0, configuration) }
            let dashboard = try recent.map { try self.dashboard(of: contexts, $0, book, logger) }
            let servers = admins.map { $0.serve } + (dashboard.map { [$0.run] } ?? [])
            return try await Serving.whileRunning(servers) {
                try await withOutbox(in: folder) { outbox in
                    let services = contexts.map { context in
                        let service =
                            factory.consumer(context)
                            ?? factory.generator(context, outbox: outbox, waitForRoom: { await book.waitForRoom() })
                        return (context.kind, service)
                    }
                    guard let broker = configuration.broker else {
                        return try await PrivateBroker.whileRunning(in: folder, stop: stop, logger) { broker, gone in
                            let outcome = try await run(
                                services, on: broker, gone, book, console, dashboard, factory, logger)
                            if outcome.remainder.queued > 0 {
                                logger.notice(
                                    "Still queued: \(outcome.remainder.queued) orders; they stay in \(folder.path) and the next run goes on with them"
                                )
                            }
                            return outcome
                        }
                    }
                    return try await run(services, on: broker, nil, book, console, dashboard, factory, logger)
                }
            }
        }
    }

    /// Its port is bound, and viewers are let go when the stop signal comes, so that they hold up no drain.
    private func dashboard(
        of contexts: [ServiceContext], _ orders: RecentOrders, _ book: RunBook, _ logger: Logger
    ) throws -> Dashboard {
        let dashboard = try Dashboard(
            port: configuration.dashboardPort ?? 0, services: contexts.map { FlowSource($0) }, orders: orders,
            logger: logger
        ) { book.totals }
        stop.onStop { dashboard.end() }
        return dashboard
    }

    private func run(
        _ services: [(ServiceKind, any PipelineService)], on broker: ConnectionConfiguration,
        _ brokerIsGone: AsyncStream<any Error>?, _ book: RunBook, _ console: Console, _ dashboard: Dashboard?,
        _ factory: ServiceFactory, _ logger: Logger
    ) async throws -> Outcome {
        var broker = configuration.connection(to: broker)
        broker.name = "pipeline-run all"
        let configured = broker
        dashboard?.found(configured)
        // The first to connect, so that a broker that is not there is said once and not by every service.
        let connection = try await stop.untilStopped {
            try await AMQPConnection.connect(configured, topology: factory.topology, logger: logger)
        }
        let watch = QueueWatch(connection: connection, logger: logger)
        let lettersBefore = await watch.depth()?.letters
        let began = ContinuousClock.now
        let summaries = Task {
            while (try? await Task.sleep(for: Self.summaryInterval)) != nil {
                console.show(RunSummary(book.now, elapsed: began.duration(to: .now)))
            }
        }
        let failure = await serve(services, on: configured, brokerIsGone, book, factory, watch, logger)
        summaries.cancel()
        dashboard?.end()
        let tally = book.now
        let remainder = await watch.remainder(
            open: tally.openAndConfirmed, givenUp: tally.givenUp,
            letters: lettersBefore.map { $0 + tally.deadLettered })
        await connection.close()
        return Outcome(
            summary: RunSummary(tally, elapsed: began.duration(to: .now)), remainder: remainder, failure: failure)
    }

    /// Runs the services to their end and returns what went wrong. None of their tasks outlives this.
    private func serve(
        _ services: [(ServiceKind, any PipelineService)], on broker: ConnectionConfiguration,
        _ brokerIsGone: AsyncStream<any Error>?, _ book: RunBook, _ factory: ServiceFactory, _ watch: QueueWatch,
        _ logger: Logger
    ) async -> (any Error)? {
        let (moments, tell) = AsyncStream<Moment>.makeStream()
        stop.onStop { tell.yield(.stopWanted) }
        let tasks = services.map { kind, service in
            let task = Task {
                do {
                    try await service.run(on: broker)
                    tell.yield(.ended(kind, nil))
                } catch {
                    tell.yield(.ended(kind, error))
                }
            }
            return (kind, task)
        }
        var watches = [Task { await Self.makeRoom(book, factory.workInHand, watch, logger) }]
        if let brokerIsGone {
            watches.append(Task { for await error in brokerIsGone { tell.yield(.brokerIsGone(error)) } })
        }

        var failure: (any Error)?
        var ended: Set<ServiceKind> = []
        var iterator = moments.makeAsyncIterator()
        func note(_ moment: Moment) {
            switch moment {
            case .ended(let kind, let error):
                ended.insert(kind)
                failure = failure ?? error
            case .brokerIsGone(let error):
                // What is in hand cannot be finished any more.
                failure = error
                factory.drain.giveUp()
                for (_, task) in tasks { task.cancel() }
            case .stopWanted, .settled: break
            }
        }
        while let moment = await iterator.next() {
            note(moment)
            guard case .ended(.generator, nil) = moment else { break }
            watches.append(Task { await Self.settle(book, factory.workInHand, watch, tell) })
        }
        // From the source downwards, so that each service still has the next one to hand on to; together they have the
        // drain time once, and when it is over all that are left end side by side.
        let drain = factory.drain
        watches.append(
            Task {
                do { try await Task.sleep(for: drain.left) } catch { return }
                for (_, task) in tasks { task.cancel() }
            })
        for (kind, task) in tasks {
            task.cancel()
            while !ended.contains(kind), let moment = await iterator.next() { note(moment) }
        }
        for task in watches { task.cancel() }
        for task in watches { await task.value }
        return failure
    }

    /// Lets the generator go on when it is held back by orders of which nothing is to come: no queue holds them, nobody
    /// here has them in work, and nothing happens.
    private static func makeRoom(
        _ book: RunBook, _ workInHand: WorkInHand, _ watch: QueueWatch, _ logger: Logger
    ) async {
        while true {
            do { try await Task.sleep(for: .seconds(1)) } catch { return }
            guard book.isFull else { continue }
            await watch.waitUntilNothingMoves(book, workInHand)
            guard !Task.isCancelled, book.isFull else { continue }
            let count = book.giveUpConfirmed()
            logger.warning(
                "Orders that are not settled and in no queue are given up: others took them, or they are lost",
                metadata: ["orders": .stringConvertible(count)])
        }
    }

    /// Waits until every order is settled, or until it is clear that some never will be.
    private static func settle(
        _ book: RunBook, _ workInHand: WorkInHand, _ watch: QueueWatch, _ tell: AsyncStream<Moment>.Continuation
    ) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await book.waitUntilSettled() }
            group.addTask { await watch.waitUntilNothingMoves(book, workInHand) }
            await group.next()
            group.cancelAll()
        }
        tell.yield(.settled)
    }
}
