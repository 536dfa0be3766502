import ArgumentParser

@main
struct Benchmarks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "Benchmarks",
        abstract: "Measures ActorBus beside other AMQP clients.",
        subcommands: [ClientCommand.self, WorkerCommand.self],
        defaultSubcommand: ClientCommand.self)
}
