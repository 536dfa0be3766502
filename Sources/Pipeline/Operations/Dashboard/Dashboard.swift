package import ActorBus
package import Logging

/// The web page of a run: its flow, its recent orders and its failures, live, for browsers of this machine.
///
/// While nobody watches it asks neither broker nor services, and only keeps the last orders in mind. A viewer that does
/// not read holds up nothing and costs the memory of one state.
package final class Dashboard: Sendable {
    private static let interval = Duration.milliseconds(500)
    /// With nothing new, the same is sent again after this time, so that the page knows that it is still connected.
    private static let longestSilence = Duration.seconds(5)
    /// So long the broker is asked on when the last viewer has left: a page that is loaded anew is back at once.
    private static let linger = Duration.seconds(5)
    static let places = 8

    private let services: [FlowSource]
    private let known: Known
    private let logger: Logger
    private let server: HTTPServer
    private let viewers: DashboardViewers
    private let over = StopSignal()

    /// What there is to show, and to whom.
    private final class Known: Sendable {
        let orders: RecentOrders
        let totals: @Sendable () -> OrderTotals
        let broker = Lock<ConnectionConfiguration?>(nil)
        let flow: Lock<FlowSnapshot>

        init(_ orders: RecentOrders, _ totals: @escaping @Sendable () -> OrderTotals, _ flow: FlowSnapshot) {
            self.orders = orders
            self.totals = totals
            self.flow = Lock(flow)
        }

        var state: DashboardState {
            DashboardState(board: orders.now, totals: totals(), flow: flow.withLock { $0 })
        }
    }

    /// Binds its port on loopback.
    ///
    /// - Parameters:
    ///   - port: 0 for any that is free.
    ///   - services: whose flow is shown.
    ///   - orders: what became of the last orders.
    ///   - totals: the numbers of the run; called on any thread, must not block.
    ///   - answerTime: how long a viewer may leave a state unread, for tests.
    /// - Throws: when the port cannot be had, with the reason and a remedy.
    package init(
        port: UInt16, services: [FlowSource], orders: RecentOrders, logger: Logger, answerTime: Duration? = nil,
        totals: @escaping @Sendable () -> OrderTotals
    ) throws(HTTPServerError) {
        let viewers = DashboardViewers(places: Self.places)
        let known = Known(orders, totals, FlowSnapshot(brokerName: "", services: services.map(\.name)))
        self.services = services
        self.logger = logger
        self.viewers = viewers
        self.known = known
        server = try HTTPServer(
            DashboardPage.subject, address: DashboardPage.address, port: port, logger: logger, answerTime: answerTime
        ) { request in
            DashboardPage.answer(to: request, viewers) { DashboardEvent.state(known.state.encoded()) }
        }
    }

    /// Throws as `init` does when the port cannot be had now; nothing stays bound.
    package static func checkFree(port: UInt16) throws(HTTPServerError) {
        try HTTPServer.checkFree(DashboardPage.subject, address: DashboardPage.address, port: port)
    }

    /// Where a browser finds it.
    package var url: String { "http://\(server.endpoint)/" }
    package var port: UInt16 { server.port }

    /// The broker is there, and may be asked.
    package func found(_ broker: ConnectionConfiguration) {
        known.broker.withLock { $0 = broker }
    }

    /// The run is coming to its end: viewers are told and let go, and nobody is let in any more.
    package func end() {
        viewers.end(with: DashboardEvent.end)
        over.stop()
    }

    /// Serves until the task is cancelled. To be called once.
    @Sendable package func run() async {
        logger.info("The dashboard is at \(url)")
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                do {
                    try await server.run()
                } catch {
                    logger.error("The dashboard is no longer served: \(error)")
                }
            }
            group.addTask { [self] in
                for await _ in viewers.arrivals { await showViewers() }
            }
        }
    }

    /// Looks at the broker and the services, and sends what changes, for as long as somebody watches.
    private func showViewers() async {
        var sampling: (sampler: FlowSampler, task: Task<Void, Never>)?
        var last: (state: [UInt8], time: ContinuousClock.Instant)?
        var lastSeen = ContinuousClock.now
        while !Task.isCancelled, !over.isStopped {
            let now = ContinuousClock.now
            if viewers.count > 0 { lastSeen = now }
            if lastSeen + Self.linger < now { break }
            if sampling == nil, let broker = known.broker.withLock({ $0 }) {
                let sampler = FlowSampler(
                    broker, name: "pipeline-run dashboard", services: services, interval: .seconds(1))
                sampling = (sampler, Task { await sampler.run() })
            }
            if let sampler = sampling?.sampler { known.flow.withLock { $0 = sampler.snapshot } }
            let state = known.state.encoded()
            if state != last?.state || last.map({ $0.time + Self.longestSilence <= now }) ?? true {
                viewers.send(DashboardEvent.state(state))
                last = (state, now)
            }
            await over.sleep(for: Self.interval)
        }
        // What was seen is soon no longer so.
        known.flow.withLock { $0 = FlowSnapshot(brokerName: $0.brokerName, services: services.map(\.name)) }
        sampling?.task.cancel()
        // So that the broker hears of the end.
        await sampling?.task.value
    }
}
