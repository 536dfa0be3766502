import ArgumentParser
import Testing

@testable import pipeline_run

/// A configuration as a command line and an environment give it.
func configure(
    _ target: RunTarget, _ arguments: [String] = [], _ environment: [String: String] = [:],
    files: [String: String] = [:]
) throws -> RunConfiguration {
    try RunConfiguration(
        target, try RunOptions.parse(arguments), environment: environment,
        readFile: { path in
            guard let text = files[path] else { throw Unreadable("No such file or directory") }
            return text
        })
}

/// The error that a command line and an environment give.
func refusal(
    _ target: RunTarget, _ arguments: [String] = [], _ environment: [String: String] = [:],
    files: [String: String] = [:], sourceLocation: SourceLocation = #_sourceLocation
) -> ConfigurationError? {
    #expect(throws: ConfigurationError.self, sourceLocation: sourceLocation) {
        try configure(target, arguments, environment, files: files)
    }
}
