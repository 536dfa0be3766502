import ActorBus
import ArgumentParser
import Pipeline

/// `top`: the flow, live.
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Watches queues and services, live.",
        discussion: """
            Depths and consumers come from the broker, everything else from the services' metrics pages: rates of the \
            last ten seconds, totals since each service started. Median and 95 % are exact: of the time from the order \
            to what the service did, in the last minute, the last 1,000 times at most. What is away is shown as away. q or \
            Ctrl-C quits. Without a terminal it writes a line each time. NO_COLOR leaves the colours out.
            """)

    @OptionGroup(title: "Broker") var broker: BrokerOptions
    @Option(
        name: .customLong("metrics"),
        help: ArgumentHelp(
            "A service's metrics page, http://host:port/metrics; may be repeated (default: those of this machine)",
            valueName: "url"))
    var metrics: [String] = []
    @Option(Settings.metricsBasePort) var metricsBasePort: String?
    @Option(Settings.metricsAddress) var metricsAddress: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Seconds from one look to the next (default: 1)", valueName: "seconds"),
        transform: Readers.secondsAboveZero)
    var every: Duration = .seconds(1)
    @Option(
        parsing: .unconditional, help: ArgumentHelp("End after so many looks", valueName: "n"),
        transform: Readers.whole(1...UInt32.max))
    var count: UInt32?

    func run() async throws {
        await OperatorCommand.run { [self] in
            let access = try BrokerAccess(broker)
            let sampler = FlowSampler(
                access.broker, name: "pipeline-run top", services: try services(), interval: every)
            let sampling = Task { await sampler.run() }
            let outcome = await Self.result {
                let terminal = TerminalCapabilities(descriptor: 1)
                if terminal.redrawsLines {
                    try await show(sampler, colors: terminal.hasColors)
                } else {
                    access.sayWarnings()
                    try await print(sampler)
                }
            }
            // So that the broker hears of the end.
            sampling.cancel()
            await sampling.value
            try outcome.get()
            return 0
        }
    }

    private static func result(_ body: () async throws -> Void) async -> Result<Void, any Error> {
        do {
            return .success(try await body())
        } catch {
            return .failure(error)
        }
    }

    private func services() throws(ConfigurationError) -> [FlowSource] {
        guard metrics.isEmpty else {
            var services: [FlowSource] = []
            for url in metrics {
                do {
                    let page = try HTTPGet(url: url)
                    services.append(FlowSource(name: page.endpoint, page: page))
                } catch {
                    throw ConfigurationError(.usage, "--metrics: \(error)")
                }
            }
            return services
        }
        let addresses = try ServiceAddresses(
            .all, metricsPort: nil, metricsBasePort: metricsBasePort, metricsAddress: metricsAddress,
            environment: ProcessEnvironment.variables())
        return addresses.all.map { FlowSource(name: $0.kind.rawValue, page: $0.address.get("/metrics")) }
    }

    // MARK: A terminal

    private enum Moment: Sendable {
        case tick, terminal(TerminalScreen.Event)
    }

    private func show(_ sampler: FlowSampler, colors: Bool) async throws {
        try await TerminalScreen.whileOurs { events in
            let (moments, tell) = AsyncStream<Moment>.makeStream(bufferingPolicy: .bufferingNewest(16))
            let ticking = Task {
                var looks: UInt32 = 0
                while looks < count ?? .max {
                    do { try await Task.sleep(for: looks == 0 ? .milliseconds(100) : every) } catch { break }
                    tell.yield(.tick)
                    looks += 1
                }
                tell.finish()
            }
            let listening = Task { for await event in events { tell.yield(.terminal(event)) } }
            defer {
                ticking.cancel()
                listening.cancel()
            }
            // Ends with the task too, which the stop signals cancel.
            for await moment in moments {
                if case .terminal(.key(let key)) = moment {
                    if key == UInt8(ascii: "q") || key == UInt8(ascii: "Q") { return }
                    continue
                }
                let (width, height) = TerminalScreen.size
                let lines = TopView.lines(sampler.snapshot, width: width, height: height)
                guard TerminalScreen.draw(lines.map { $0.rendered(colors: colors) }) else {
                    throw Unreadable("the terminal is gone")
                }
            }
        }
    }

    // MARK: No terminal

    private func print(_ sampler: FlowSampler) async throws {
        var looks: UInt32 = 0
        while looks < count ?? .max {
            do { try await Task.sleep(for: every) } catch { return }
            OperatorCommand.print(TopView.plainLine(sampler.snapshot))
            looks += 1
        }
    }
}
