import FoundationEssentials

/// A client that is measured: a program that takes a ``WorkOrder`` from its environment.
struct Contender: Sendable {
    var name: String
    var program: String
    var arguments: [String]
    /// The arguments that make it print its version; nil for ours.
    var versionArguments: [String]?

    static let baseline = "rabbitmq-c"
    static let own = "actorbus"
    /// Ours again, with its tasks on their connection's thread.
    static let ownOnThread = "actorbus-thread"

    /// All of them, ours first; where the bench's own set-up puts them, relative to the project's folder.
    static func all(own: String) -> [Contender] {
        let folder = own.lastIndex(of: "/").map { String(own[...$0]) } ?? "./"
        return [
            Contender(name: Contender.own, program: own, arguments: ["worker"], versionArguments: nil),
            Contender(
                name: ownOnThread, program: own, arguments: ["worker", "--on-thread"], versionArguments: nil),
            Contender(
                name: baseline, program: folder + "bench-plain-c", arguments: [], versionArguments: ["version"]),
            Contender(name: "amqp091-go", program: ".build/bench-go", arguments: [], versionArguments: ["version"]),
            python("pika"), python("aio-pika"),
        ]
    }

    /// This program, which is also its own worker.
    static var ownPath: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
            ?? ProcessInfo.processInfo.arguments[0]
    }

    private static func python(_ name: String) -> Contender {
        let script = "Benchmarks/Rivals/python/\(name == "pika" ? "pika" : "aio_pika")_rival.py"
        return Contender(
            name: name, program: ".build/bench-venv/bin/python", arguments: ["-B", script],
            versionArguments: ["-B", script, "version"])
    }
}
