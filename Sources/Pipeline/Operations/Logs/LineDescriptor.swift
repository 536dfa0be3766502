#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A file descriptor that lines are written to. Borrowed, not closed.
struct LineDescriptor: Sendable {
    private let descriptor: Int32

    /// Ignored for the whole process and once: its default would end the process when the reader goes away.
    private static let ignoreBrokenPipes: Void = {
        _ = signal(SIGPIPE, SIG_IGN)
    }()

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        Self.ignoreBrokenPipes
    }

    /// Writes all of it, however long the reader takes; returns how much that was when there is nobody to write to.
    func write(_ bytes: ArraySlice<UInt8>) -> Int {
        unsafe bytes.withUnsafeBytes { buffer in
            var written = 0
            while written < buffer.count {
                let count = unsafe systemWrite(descriptor, buffer.baseAddress! + written, buffer.count - written)
                if count >= 0 {
                    written += count
                } else if errno == EAGAIN || errno == EWOULDBLOCK {
                    // Somebody has made it one that does not block.
                    var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = unsafe poll(&waiting, 1, -1)
                } else if errno != EINTR {
                    break
                }
            }
            return written
        }
    }
}

/// `write` of the system, which the method of the same name hides.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    unsafe write(descriptor, bytes, count)
}
