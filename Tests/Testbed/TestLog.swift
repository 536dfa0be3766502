import Foundation
public import Testing

/// What one test's code logs and what its processes say, kept until the test is over and shown only if it fails.
public final class TestLog: Sendable {
    /// The log of the test that runs in this task.
    @TaskLocal public static var current: TestLog?

    private static let mostLines = 300

    private struct State {
        var lines: [String] = []
        var left = 0
        var failed = false
    }

    private let lock = NSLock()
    // Guarded by the lock; a Mutex would have the thread sanitizer see races.
    private nonisolated(unsafe) var state = State()

    public func note(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        lock.withLock {
            unsafe state.lines += lines
            let surplus = unsafe state.lines.count - Self.mostLines
            if surplus > 0 {
                unsafe state.lines.removeFirst(surplus)
                unsafe state.left += surplus
            }
        }
    }

    func fail() { lock.withLock { unsafe state.failed = true } }

    /// What is to be shown; nil when the test has not failed or nothing was logged.
    func text(of name: String) -> String? {
        let state = lock.withLock { unsafe self.state }
        guard state.failed, !state.lines.isEmpty else { return nil }
        let omitted = state.left > 0 ? ", \(state.left) lines before left out" : ""
        // The bar in front of each line tells scripts/test what to show.
        return "│ log of \(name)\(omitted):\n" + state.lines.map { "│   \($0)\n" }.joined()
    }
}

/// Shows the logs of a failed test, and of no other.
public struct LogsOnFailure: TestTrait, SuiteTrait, TestScoping {
    public var isRecursive: Bool { true }

    @concurrent public func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        TestLogHandler.install()
        let log = TestLog()
        let observing = IssueHandlingTrait.compactMapIssues { issue in
            log.fail()
            return issue
        }
        defer {
            if let text = log.text(of: test.name) { FileHandle.standardError.write(Data(text.utf8)) }
        }
        do {
            try await TestLog.$current.withValue(log) {
                try await observing.provideScope(for: test, testCase: testCase, performing: function)
            }
        } catch {
            log.fail()
            throw error
        }
    }
}

extension Trait where Self == LogsOnFailure {
    public static var logsOnFailure: LogsOnFailure { LogsOnFailure() }
}
