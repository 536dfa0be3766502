/// TLS over another stream: connected when the handshake is done, and then read and written like any other.
@safe final class TLSStream: Transport {
    private let stream: any Transport
    private let session: TLSSession
    /// Encrypted bytes on their way in, and on their way out.
    private let received: UnsafeMutableRawBufferPointer
    private let sending: UnsafeMutableRawBufferPointer
    /// Of `sending`, what the stream has not taken yet.
    private var unsent = 0..<0
    private var isStreamConnected = false
    private var hasHeardAnything = false
    /// What ended the stream, when there was something to be read before it.
    private var end: AMQPError?
    /// Whether the last read had more than was asked for.
    private var wasFull = false

    /// A record and its head fit twice (RFC 8446 section 5.1).
    private static let room = 34 << 10
    /// How much is encrypted ahead of the network. What is encrypted counts as written.
    private static let mostAhead = 64 << 10
    /// How often one call reads from the network: a peer that sends records without data must not hold the thread.
    private static let mostReads = 16

    /// - Parameter host: whom the broker's certificate must be for, where the configuration does not say so.
    /// - Throws: ``AMQPError/Code/tlsFailed`` for certificates and keys that cannot be used.
    init(over stream: any Transport, _ configuration: TLSConfiguration, host: String) throws(AMQPError) {
        session = try TLSSession(configuration, host: host)
        self.stream = stream
        unsafe received = .allocate(byteCount: Self.room, alignment: 16)
        unsafe sending = .allocate(byteCount: Self.room, alignment: 16)
    }

    deinit {
        unsafe received.deallocate()
        unsafe sending.deallocate()
    }

    var descriptor: CInt { stream.descriptor }

    var wantsWrite: Bool { stream.wantsWrite || isStreamConnected && hasUnsent }

    /// What was read from the network, and not yet from here.
    var hasUnread: Bool { end != nil || wasFull && session.hasUnread }

    func finishConnecting() throws(AMQPError) -> Bool {
        if !isStreamConnected {
            guard try stream.finishConnecting() else { return false }
            isStreamConnected = true
        }
        while true {
            let isDone: Bool
            do throws(AMQPError) {
                isDone = try session.handshake()
            } catch {
                farewell()
                throw error
            }
            // What has come goes first: it may say why nothing can be sent.
            let fault = flushFault()
            if isDone {
                if let fault { throw fault }
                wasFull = true
                return true
            }
            do throws(AMQPError) {
                guard try receive() else {
                    if let fault { throw fault }
                    return false
                }
            } catch {
                guard error.code == .connectionLost else { throw error }
                throw AMQPError(
                    .connectionLost, "\(error.message), in the middle of the TLS handshake",
                    remedy: "check that TLS is spoken at this port, and see the broker's log")
            }
        }
    }

    func read(into target: UnsafeMutableRawBufferPointer) throws(AMQPError) -> Int {
        if let end { throw end }
        wasFull = false
        var (count, reads) = (0, 0)
        // What TLS itself has to answer. What has come goes first: it may say why nothing can be sent.
        let fault = flushFault()
        do throws(AMQPError) {
            while count < target.count {
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: target[count...])
                guard let taken = try unsafe session.read(into: rest) else {
                    throw AMQPError(.connectionLost, "the broker closed the connection without a word")
                }
                count += taken
                guard taken == 0 else { continue }
                guard reads < Self.mostReads, try receive() else {
                    if count == 0, let fault { throw fault }
                    return count
                }
                reads += 1
            }
        } catch {
            guard count > 0 else { throw error }
            end = error
        }
        wasFull = true
        return count
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(AMQPError) -> Int {
        try flush()
        guard !hasUnsent else { return 0 }
        var count = 0
        while count < min(bytes.count, Self.mostAhead) {
            let taken = try unsafe session.write(UnsafeRawBufferPointer(rebasing: bytes[count...]))
            guard taken > 0 else { break }
            count += taken
        }
        try flush()
        return count
    }

    func close() {
        if isStreamConnected {
            session.end()
            farewell()
        }
        stream.close()
    }

    /// Reads from the network once; false when nothing is there.
    private func receive() throws(AMQPError) -> Bool {
        let count = try unsafe stream.read(into: received)
        guard count > 0 else { return false }
        if !hasHeardAnything {
            hasHeardAnything = true
            // The content types of records (RFC 8446 section 5.1); an AMQP broker answers with its protocol's name.
            guard (20...23).contains(unsafe received[0]) else {
                throw AMQPError(
                    .tlsFailed, "TLS is not spoken at this port",
                    remedy: "use RabbitMQ's TLS port (5671 by default), or amqp:// without TLS")
            }
        }
        try unsafe session.receive(UnsafeRawBufferPointer(rebasing: received[..<count]))
        return true
    }

    private var hasUnsent: Bool { !unsent.isEmpty || session.unsent > 0 }

    /// Sends what is encrypted, as far as the stream takes it.
    private func flush() throws(AMQPError) {
        while true {
            if unsent.isEmpty {
                unsent = 0..<(unsafe session.takeUnsent(into: sending))
                if unsent.isEmpty { return }
            }
            let taken = try unsafe stream.write(UnsafeRawBufferPointer(rebasing: sending[unsent]))
            guard taken > 0 else { return }
            unsent.removeFirst(taken)
        }
    }

    private func flushFault() -> AMQPError? {
        do {
            try flush()
            return nil
        } catch { return error }
    }

    /// Sends TLS's last words, which tell the broker's log why. The stream ends either way, so nothing depends on them.
    private func farewell() { _ = flushFault() }
}
