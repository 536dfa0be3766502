import ArgumentParser
import Pipeline

/// `pipeline-run`: the order pipeline's one command.
@main
struct PipelineRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pipeline-run",
        abstract: "An order pipeline on RabbitMQ: orders, payments, shipments, notifications.",
        discussion: """
            Run everything at once, with a RabbitMQ of its own where none is named:
              pipeline-run all
            or each service as a process, on a broker that they share:
              AMQP_URL=amqp://user@mq-1,mq-2/ RABBITMQ_PASSWORD_FILE=/run/secret pipeline-run payment

            Flags go before the environment, the environment before defaults. Besides AMQP_URL, RABBITMQ_HOST, _PORT, \
            _USER, _PASSWORD or _PASSWORD_FILE, _VHOST and _HEARTBEAT name the broker.
            SIGTERM, SIGHUP or Ctrl-C finishes what is in hand; a second signal ends at once.
            Exit codes: 0 done, 64 usage, 69 no broker, 75 drain timed out, 77 login refused, 78 configuration, 130 second \
            signal, 1 anything else.
            Not yet available: \(NotYetAvailable.commands.keys.sorted().joined(separator: ", ")).
            """,
        version: "pipeline-run \(BuildInfo.current.version) (\(BuildInfo.current.revision))",
        subcommands: [
            AllCommand.self, GeneratorCommand.self, PaymentCommand.self, FulfillmentCommand.self,
            NotificationCommand.self, TopologyCommand.self, DeadLetterCommand.self, DoctorCommand.self, TopCommand.self,
            ConfigCommand.self, HealthcheckCommand.self,
        ])

    /// Without a command. A script whose variable came out empty must not take that for success.
    func run() async throws {
        Program.fail(usage: "a command is missing\n\n\(Self.helpMessage())")
    }

    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        // Before the parser sees it, which would print what it does not expect, password and all.
        if MisplacedURL.isAmong(arguments) { Program.fail(usage: MisplacedURL.words) }
        if let word = arguments.first, NotYetAvailable.commands[word] != nil {
            Program.fail(NotYetAvailable.error("pipeline-run \(word)"))
        }
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
            // As every other error begins, for those who grep for it.
            let words = fullMessage(for: error)
            Program.fail(usage: words.hasPrefix("Error: ") ? String(words.dropFirst("Error: ".count)) : words)
        }
    }
}

struct AllCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "all", abstract: "All services in one process, with a private RabbitMQ where none is named.")

    @OptionGroup var options: RunOptions

    func run() async throws { await Program.run(.all, options) }
}

struct GeneratorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "generator", abstract: "Makes orders.")

    @OptionGroup var options: RunOptions

    func run() async throws { await Program.run(.role(.generator), options) }
}

struct PaymentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "payment", abstract: "Processes payments of orders.")

    @OptionGroup var options: RunOptions

    func run() async throws { await Program.run(.role(.payment), options) }
}

struct FulfillmentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fulfillment", abstract: "Creates shipments for payments that succeeded.")

    @OptionGroup var options: RunOptions

    func run() async throws { await Program.run(.role(.fulfillment), options) }
}

struct NotificationCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "notification", abstract: "Notifies customers of orders, payments and shipments.")

    @OptionGroup var options: RunOptions

    func run() async throws { await Program.run(.role(.notification), options) }
}
