import ArgumentParser

@main
struct Benchmarks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "Benchmarks",
        abstract: "Measures ActorBus and the order pipeline beside other AMQP clients.",
        subcommands: [ClientCommand.self, PipelineCommand.self, GuardCommand.self, WorkerCommand.self],
        defaultSubcommand: ClientCommand.self)
}
