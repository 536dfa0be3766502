import ActorBus

/// Writes lines of data to a file descriptor, from any thread, and waits for whoever reads them: data are not to be
/// lost, other than the lines of a log. The descriptor is borrowed, not closed.
package final class DataWriter: Sendable {
    private let descriptor: LineDescriptor
    /// Whether a line could not be written; held while one is, so that lines do not mix.
    private let failed = Lock(false)

    package init(descriptor: Int32) { self.descriptor = LineDescriptor(descriptor) }

    /// Whether a line could not be written, since there is nobody to write to.
    package var hasFailed: Bool { failed.withLock { $0 } }

    /// Writes a line.
    ///
    /// - Parameter line: its bytes, the line break included.
    package func write(_ line: [UInt8]) {
        failed.withLock { failed in
            if descriptor.write(line[...]) < line.count { failed = true }
        }
    }
}
