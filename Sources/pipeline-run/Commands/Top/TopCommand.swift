import ArgumentParser

/// `top`: the flow, live.
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "top", abstract: "Watches the flow, live.")

    func run() async throws { Program.fail(NotYetAvailable.error("pipeline-run top")) }
}
