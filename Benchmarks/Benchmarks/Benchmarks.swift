import ArgumentParser

@main
struct Benchmarks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "Benchmarks",
        abstract: "Measures ActorBus beside other AMQP clients, and the pipeline end to end.",
        subcommands: [])
}
