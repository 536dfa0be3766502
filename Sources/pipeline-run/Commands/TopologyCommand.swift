import ActorBus
import ArgumentParser
import Pipeline

/// `topology`: the exchanges, queues and bindings as a thing of its own.
struct TopologyCommand: CommandGroup {
    static let configuration = CommandConfiguration(
        commandName: "topology", abstract: "Declares, checks or exports the exchanges, queues and bindings.",
        subcommands: [Declare.self, Check.self, Export.self])

    struct Declare: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "declare", abstract: "Makes what is missing at the broker.",
            discussion: """
                What is there and equal is left as it is. What is there and different is refused by the broker, exit \
                code 78. Every service does the same when it starts.
                """)

        @OptionGroup(title: "Broker") var broker: BrokerOptions
        @Option(Settings.queueType) var queueType: String?

        func run() async throws {
            await OperatorCommand.run { [self] in
                let topology = try TopologyCommand.topology(queueType)
                let access = try BrokerAccess(broker)
                access.sayWarnings()
                try await access.withConnection(topology) { _ in }
                OperatorCommand.note(
                    "\(topology.exchanges.count) exchanges and \(topology.queues.count) queues with their bindings are there"
                )
                return 0
            }
        }
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check", abstract: "Says what the broker lacks or holds otherwise; exit code 78 when it does.",
            discussion: """
                Makes nothing and changes nothing. Each difference is a line on standard output. To compare what is \
                there takes the configure permission. Bindings cannot be asked for in AMQP; 'topology declare' makes \
                sure of them.
                """)

        @OptionGroup(title: "Broker") var broker: BrokerOptions
        @Option(Settings.queueType) var queueType: String?

        func run() async throws {
            await OperatorCommand.run { [self] in
                let topology = try TopologyCommand.topology(queueType)
                let access = try BrokerAccess(broker)
                access.sayWarnings()
                let differences = try await access.withConnection { try await $0.differences(from: topology) }
                for difference in differences { OperatorCommand.print(PrintableText.of("\(difference)", limit: 1000)) }
                guard !differences.isEmpty else {
                    OperatorCommand.note(
                        "\(topology.exchanges.count) exchanges and \(topology.queues.count) queues are as they should be; "
                            + "bindings cannot be asked for")
                    return 0
                }
                OperatorCommand.note(TopologyCommand.remedy(for: differences))
                return ExitStatus.configuration
            }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export", abstract: "Writes it as JSON for 'rabbitmqctl import_definitions'.",
            discussion: "Asks no broker; the virtual host is the one that the broker's settings name, else /.")

        @OptionGroup(title: "Broker") var broker: BrokerOptions
        @Option(Settings.queueType) var queueType: String?

        func run() async throws {
            await OperatorCommand.run { [self] in
                let topology = try TopologyCommand.topology(queueType)
                let access = try BrokerAccess(broker)
                access.sayWarnings()
                OperatorCommand.print(topology.definitions(virtualHost: access.broker.virtualHost))
                return 0
            }
        }
    }

    static func topology(_ queueType: String?) throws(ConfigurationError) -> Topology {
        PipelineTopology.all(
            try Settings.queueType.resolve(flag: queueType, ProcessEnvironment.variables()).value)
    }

    /// What to do about differences, in a line.
    static func remedy(for differences: [TopologyDifference]) -> String {
        if differences.contains(where: { if case .different = $0.finding { true } else { false } }) {
            return
                "a queue keeps its arguments for life: use what the broker holds (see --queue-type), or replace it when it is empty "
                + "(docs/runbook.md, \"Change the arguments of a queue\")"
        }
        if differences.contains(where: { if case .unknown = $0.finding { true } else { false } }) {
            return "give the user the configure permission, or ask as another user"
        }
        return "'pipeline-run topology declare' makes what is missing, and so does every service when it starts"
    }
}
