import ActorBus

/// Writes lines of data to a file descriptor, from any thread, and waits for whoever reads them: data are not to be
/// lost, other than the lines of a log. The descriptor is borrowed, not closed.
package final class DataWriter: Sendable {
    private struct State: Sendable {
        /// Lines of callers that came while another caller was writing.
        var waiting: [UInt8] = []
        var isWriting = false
        var hasFailed = false
    }

    private let descriptor: LineDescriptor
    private let state = Lock(State())

    package init(descriptor: Int32) { self.descriptor = LineDescriptor(descriptor) }

    /// Whether a line could not be written, since there is nobody to write to.
    package var hasFailed: Bool { state.withLock { $0.hasFailed } }

    /// Writes a line. One that comes while another caller's is being written is left to that caller, so that lines do
    /// not mix and nothing is locked while the reader is waited for; every other is written when this returns.
    ///
    /// - Parameter line: its bytes, the line break included.
    package func write(_ line: [UInt8]) {
        let isOurs = state.withLock { state in
            state.waiting += line
            defer { state.isWriting = true }
            return !state.isWriting
        }
        guard isOurs else { return }
        while let lines = takeWaiting() {
            if descriptor.write(lines[...]) < lines.count { state.withLock { $0.hasFailed = true } }
        }
    }

    /// What waits to be written; nil, and the writing is over, when that is nothing.
    private func takeWaiting() -> [UInt8]? {
        state.withLock { state in
            let lines = state.waiting
            state.waiting = []
            state.isWriting = !lines.isEmpty
            return lines.isEmpty ? nil : lines
        }
    }
}
