import ActorBus
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Writes whole lines to a file descriptor, one `write` a line, from any thread.
///
/// Logging must not bring a service down: a reader that is gone (EPIPE) or slow on a non-blocking descriptor (EAGAIN)
/// costs lines, never the process, and the lines that were lost are counted. The descriptor is borrowed, not closed.
package final class LineWriter: Sendable {
    private struct State: Sendable {
        var lost: UInt64 = 0
        /// A line was cut off in the middle, so the next one starts on a line of its own.
        var isMidLine = false
    }

    /// How long a full non-blocking descriptor is waited for, in milliseconds, before a line is given up.
    private static let patience: Int32 = 100

    /// Ignored for the whole process and once: its default would end the process when the reader of the logs goes away.
    private static let ignoreBrokenPipes: Void = {
        _ = signal(SIGPIPE, SIG_IGN)
    }()

    private let descriptor: Int32
    private let state = Lock(State())

    /// - Parameter descriptor: where lines go; standard error by default.
    package init(descriptor: Int32 = 2) {
        self.descriptor = descriptor
        Self.ignoreBrokenPipes
    }

    /// The number of lines that could not be written whole.
    package var lostLines: UInt64 {
        state.withLock { $0.lost }
    }

    /// Writes a line.
    ///
    /// - Parameter line: its bytes, the line break included.
    package func write(_ line: [UInt8]) {
        let descriptor = self.descriptor
        state.withLock { state in
            let bytes = state.isMidLine ? [UInt8(ascii: "\n")] + line : line
            let written = Self.writeAll(bytes, to: descriptor)
            if written == bytes.count {
                state.isMidLine = false
            } else {
                state.lost += 1
                if written > 0 { state.isMidLine = true }
            }
        }
    }

    /// Writes as much as it can and says how much that was.
    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Int {
        unsafe bytes.withUnsafeBytes { buffer in
            var written = 0
            while written < buffer.count {
                #if canImport(Glibc)
                    let count = unsafe Glibc.write(descriptor, buffer.baseAddress! + written, buffer.count - written)
                #elseif canImport(Musl)
                    let count = unsafe Musl.write(descriptor, buffer.baseAddress! + written, buffer.count - written)
                #else
                    let count = unsafe Darwin.write(descriptor, buffer.baseAddress! + written, buffer.count - written)
                #endif
                if count >= 0 {
                    written += count
                } else if errno == EAGAIN || errno == EWOULDBLOCK {
                    var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    guard unsafe poll(&waiting, 1, patience) > 0 else { break }
                } else if errno != EINTR {
                    break
                }
            }
            return written
        }
    }
}
