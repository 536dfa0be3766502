import ArgumentParser
import Pipeline

/// `healthcheck`: a probe for where there is no shell and no curl.
struct HealthcheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "healthcheck", abstract: "Asks a running service on this machine whether it is ready, or alive.",
        discussion: """
            Exit code 0 when it is, 1 when it is not or does not answer in time; a line on standard output says why. \
            'all' asks all four. Ports and address are found as the service itself finds them.
            """)

    @Argument(help: "all, generator, payment, fulfillment or notification.") var service: RunTarget
    @Flag(help: "Ask whether the process works (/livez), whatever the broker does.") var live = false
    @Flag(help: "Ask whether it can do its work (/readyz); this is the default.") var ready = false
    @Option(Settings.metricsPort) var metricsPort: String?
    @Option(Settings.metricsBasePort) var metricsBasePort: String?
    @Option(Settings.metricsAddress) var metricsAddress: String?
    @Option(
        parsing: .unconditional, help: ArgumentHelp("How long an answer may take (default: 2)", valueName: "seconds"),
        transform: Readers.secondsAboveZero)
    var timeout: Duration = .seconds(2)

    func validate() throws {
        if live && ready { throw ValidationError("--live and --ready: ask for one of them") }
    }

    func run() async throws {
        await OperatorCommand.run { [self] in
            let addresses = try ServiceAddresses(
                service, metricsPort: metricsPort, metricsBasePort: metricsBasePort, metricsAddress: metricsAddress,
                environment: ProcessEnvironment.variables())
            var status: Int32 = 0
            for (kind, address) in addresses.all {
                let outcome = await Self.ask(address.get(live ? "/livez" : "/readyz"), within: timeout)
                OperatorCommand.print("\(kind.rawValue): \(outcome.words)")
                if !outcome.isWell { status = ExitStatus.failure }
            }
            return status
        }
    }

    private static func ask(_ get: HTTPGet, within timeout: Duration) async -> (isWell: Bool, words: String) {
        do {
            let response = try await get.response(within: timeout)
            let line = PrintableText.of(String(response.text.prefix { !$0.isNewline }), limit: 500)
            return response.status == 200 ? (true, line) : (false, "\(line) (status \(response.status))")
        } catch {
            return (false, error.description)
        }
    }
}

/// Where the services of this machine show metrics and health.
struct ServiceAddresses: Sendable {
    struct Address: Sendable, Equatable {
        let host: String
        /// The other family's, where the service listens on both.
        var otherHost: String?
        let port: UInt16

        func get(_ path: String) -> HTTPGet { HTTPGet(host: host, otherHost: otherHost, port: port, path: path) }
    }

    let all: [(kind: ServiceKind, address: Address)]

    /// From the same flags and variables as the services have them.
    init(
        _ target: RunTarget, metricsPort: String?, metricsBasePort: String?, metricsAddress: String?,
        environment: [String: String]
    ) throws(ConfigurationError) {
        let first = try RunConfiguration.firstPort(metricsPort, metricsBasePort, environment, target)
        guard first > 0 else {
            throw ConfigurationError(
                .environment, "the metrics port is 0, which lets the system choose one: name the one that it chose")
        }
        let address = try Settings.metricsAddress.resolve(flag: metricsAddress, environment).value
        all = target.services.map { kind in
            (kind, Self.reachable(address ?? "*", port: target == .all ? first + kind.portOffset : first))
        }
    }

    /// Where a service on this machine is reached that listens on `address`.
    static func reachable(_ address: String, port: UInt16) -> Address {
        let bare = address.hasPrefix("[") && address.hasSuffix("]") ? String(address.dropFirst().dropLast()) : address
        return switch bare {
        case "*", "localhost": Address(host: "127.0.0.1", otherHost: "::1", port: port)
        case "0.0.0.0": Address(host: "127.0.0.1", port: port)
        case "::": Address(host: "::1", otherHost: "127.0.0.1", port: port)
        default: Address(host: bare, port: port)
        }
    }
}

extension RunTarget: ExpressibleByArgument {
    init?(argument: String) {
        if argument == "all" {
            self = .all
        } else if let kind = ServiceKind(rawValue: argument) {
            self = .role(kind)
        } else {
            return nil
        }
    }

    static var allValueStrings: [String] { ["all"] + ServiceKind.allCases.map(\.rawValue) }
    static var defaultCompletionKind: CompletionKind { .list(allValueStrings) }

    var defaultValueDescription: String { commandName }
}
