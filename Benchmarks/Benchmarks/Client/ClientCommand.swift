import ArgumentParser

/// ActorBus beside the other clients.
struct ClientCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clients",
        abstract: "Measures ActorBus beside plain rabbitmq-c, amqp091-go, pika and aio-pika, interleaved.",
        discussion: """
            Scenarios: \(Scenario.all.map(\.key).joined(separator: ", ")).
            Clients: \(Contender.all(own: "").map(\.name).joined(separator: ", ")).
            """)

    @Option(help: ArgumentHelp("Only these scenarios, separated by commas; one may end in *.", valueName: "names"))
    var scenarios: String?

    @Option(help: ArgumentHelp("Only these clients, separated by commas.", valueName: "names"))
    var clients: String?

    @Option(help: ArgumentHelp("How often each client does each work.", valueName: "n"))
    var rounds: Int?

    @Flag(help: "One round with a fifth of the messages of the main scenarios: a look, not a measurement.")
    var quick = false

    @Flag(help: "Leave out the round under strace that counts system calls.")
    var noSyscalls = false

    @OptionGroup var output: ReportOptions

    func validate() throws {
        guard rounds ?? 1 > 0 else { throw ValidationError("--rounds must be above zero.") }
        _ = try chosenScenarios()
        _ = try chosenContenders()
    }

    func run() async throws {
        let earlier = try output.earlier()
        let all = Contender.all(own: Contender.ownPath)
        guard let deleter = all.first(where: { $0.name == Contender.baseline }) else { return }
        let benchmark = ClientBenchmark(
            scenarios: try chosenScenarios(), contenders: try chosenContenders(), rounds: rounds ?? (quick ? 1 : 3),
            countsSystemCalls: !noSyscalls, systemCallDivisor: quick ? 1 : 4, deleter: deleter)
        try output.publish(try await benchmark.run(), earlier: earlier)
    }

    private func chosenScenarios() throws -> [Scenario] {
        let chosen = try choose(Scenario.all, names: scenarios, what: "scenario", key: \.key)
            .filter { !quick || scenarios != nil || $0.isQuick }
        guard quick else { return chosen }
        return chosen.map { scenario in
            var part = scenario.divided(by: 5)
            part.seconds = min(1, scenario.seconds)
            return part
        }
    }

    private func chosenContenders() throws -> [Contender] {
        try choose(Contender.all(own: Contender.ownPath), names: clients, what: "client", key: \.name)
    }

    private func choose<Item>(_ items: [Item], names: String?, what: String, key: (Item) -> String) throws -> [Item] {
        guard let names else { return items }
        let wanted = names.split(separator: ",").map(String.init)
        func matches(_ name: String, _ item: Item) -> Bool {
            name.hasSuffix("*") ? key(item).hasPrefix(name.dropLast()) : key(item) == name
        }
        for name in wanted where !items.contains(where: { matches(name, $0) }) {
            throw ValidationError("There is no \(what) '\(name)'; there are \(items.map(key).joined(separator: ", ")).")
        }
        return items.filter { item in wanted.contains { matches($0, item) } }
    }
}
