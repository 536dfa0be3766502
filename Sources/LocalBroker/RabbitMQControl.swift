import Subprocess

/// Programs that run and end: the command-line tools.
enum RabbitMQControl {
    private static let outputLimit = 4 << 20

    static func run(
        _ words: [String], variables: [(String, String)], timeout: Duration
    ) async throws -> String {
        var options = PlatformOptions()
        // Of its own, so that ending the tool ends what it started, and Ctrl-C is left to us.
        options.createSession = true
        options.teardownSequence = [.send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .seconds(1))]
        var environment: [Environment.Key: String] = [:]
        for (name, value) in variables { environment[Environment.Key(stringLiteral: name)] = value }
        let configuration = Configuration(
            executable: .name("sh"), arguments: Arguments(["-c", #"exec "$0" "$@""#] + words),
            environment: .custom(environment), platformOptions: options)
        let command = words.joined(separator: " ")

        return try await withThrowingTaskGroup(of: String?.self) { group in
            group.addTask {
                let result = try await Subprocess.run(
                    configuration, output: .string(limit: outputLimit), error: .string(limit: outputLimit))
                try Task.checkCancellation()
                guard result.terminationStatus.isSuccess else {
                    throw LocalBrokerError(
                        .commandFailed,
                        "`\(command)` failed (\(result.terminationStatus)): "
                            + result.standardError + result.standardOutput)
                }
                return result.standardOutput
            }
            group.addTask {
                try await Task.sleep(for: timeout)
                return nil
            }
            defer { group.cancelAll() }
            guard let output = try await group.next() ?? nil else {
                throw LocalBrokerError(.timedOut, "`\(command)` took longer than \(timeout)")
            }
            return output
        }
    }

    /// Removes a folder and all in it.
    static func removeTree(_ path: String) async throws {
        guard Posix.exists(path) else { return }
        let result = try await Subprocess.run(
            .name("rm"), arguments: ["-rf", "--", path], output: .discarded, error: .string(limit: 4096))
        guard result.terminationStatus.isSuccess else {
            throw LocalBrokerError(.fileSystem, "cannot remove \(path): \(result.standardError)")
        }
    }
}
