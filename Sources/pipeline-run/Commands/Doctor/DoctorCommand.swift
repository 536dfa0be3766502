import ActorBus
import ArgumentParser
import LocalBroker
import Pipeline

/// `doctor`: why something does not work, found out without changing anything.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Checks everything that a run depends on, and says what to do.",
        discussion: """
            Takes the flags of a run. Nothing is made, published or delivered. A line each: ✓ as it should be, ! worth a \
            look, ✗ in the way of a run, - not looked at. Exit code 0 when no line is a ✗, else what a run would end with \
            for the first of them: 78 configuration, 69 no broker, 77 login refused, 1 anything else.
            """)

    @Argument(help: "all, generator, payment, fulfillment or notification.") var service: RunTarget = .all
    @OptionGroup var options: RunOptions

    func run() async throws {
        await OperatorCommand.run { [self] in
            var findings: [Finding] = []
            func say(_ more: [Finding]) {
                for finding in more { OperatorCommand.print(finding.text(colors: OperatorCommand.colors)) }
                findings += more
            }
            let environment = ProcessEnvironment.variables()
            do {
                let configuration = try RunConfiguration(
                    service, options, environment: environment, readFile: ProcessEnvironment.readFile)
                say(configuration.warnings.map { .warning("configuration", $0) })
                say([.good("configuration", "every flag and variable can be read")])
                if let broker = configuration.broker {
                    let attempts = try Settings.commandConnectAttempts.resolve(
                        flag: options.broker.connectAttempts, environment)
                    var access = configuration.connection(to: broker)
                    access.connectAttempts = attempts.value
                    access.name = "pipeline-run doctor"
                    for check in BrokerChecks.all(service, configuration.queueType, access) { say(await check()) }
                } else {
                    say([Self.privateBroker()])
                }
                say(await MachineChecks.ports(configuration))
                say([MachineChecks.clock(at: .now(), newestFile: MachineChecks.newestFile(configuration))])
                say(MachineChecks.stateFolder(configuration))
            } catch {
                say([.bad("configuration", error)])
            }
            return findings.status
        }
    }

    /// Where no broker is named, 'all' brings one; it has to be installed.
    private static func privateBroker() -> Finding {
        do {
            try LocalBroker.checkInstalled()
            return .good("broker", "none is named; 'all' starts a RabbitMQ of its own, and one is installed")
        } catch {
            return .bad("broker", error)
        }
    }
}
