import Testing

@testable import LocalBroker

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A folder in the temporary folder that is removed at the end of the body; its name holds a space, which must not matter.
func withFolder(_ body: (String) async throws -> Void) async throws {
    let base = try Posix.makeTemporaryDirectory()
    do {
        try await body(base + "/broker data")
    } catch {
        try await RabbitMQControl.removeTree(base)
        throw error
    }
    try await RabbitMQControl.removeTree(base)
}

/// Whether a process of that id is there and running; one that has ended and waits to be reaped is not.
func isRunning(_ process: Int32) -> Bool {
    guard Posix.isAlive(process) else { return false }
    guard let status = Posix.read("/proc/\(process)/stat") else { return !Posix.exists("/proc") }
    return status.split(separator: ")").last?.dropFirst().first != "Z"
}

/// A process, as a failed test shows it.
struct RunningProcess: CustomStringConvertible {
    let identifier: Int32
    let command: String

    var description: String { "\(identifier): \(command)" }
}

/// Every process whose environment or arguments name the folder: nodes, port mapper, guard and what they started.
func processes(of folder: String) -> [RunningProcess] {
    Posix.names(in: "/proc").compactMap { Int32($0) }.compactMap { process in
        guard process != Posix.processIdentifier, isRunning(process) else { return nil }
        let arguments = Posix.read("/proc/\(process)/cmdline") ?? ""
        let environment = Posix.read("/proc/\(process)/environ") ?? ""
        guard (arguments + environment).contains(folder) else { return nil }
        return RunningProcess(
            identifier: process, command: String(arguments.map { $0 == "\0" ? " " : $0 }.prefix(200)))
    }
}

/// Asks again until it is so, or records an issue when it is still not so after the limit.
func eventually(
    within limit: Duration, _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
    _ isSo: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !isSo() {
        if ContinuousClock.now >= deadline {
            Issue.record("not so after \(limit): \(what)", sourceLocation: sourceLocation)
            return
        }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// Declares a durable queue from inside the broker, so that no AMQP client is needed here.
func declareDurableQueue(_ name: String, on broker: LocalBroker) async throws {
    try await broker.rabbitmqctl([
        "eval",
        #"rabbit_amqqueue:declare(rabbit_misc:r(<<"/">>, queue, <<"\#(name)">>), true, false, [], none, <<"test">>), ok."#,
    ])
}
