/// A stream of bytes to a broker: TCP, what is spoken through it, or a network that is simulated. It never blocks.
///
/// Touched by the connection's thread alone. It begins to connect when it is made, and is closed by ``close()`` or when
/// it is let go.
package protocol Transport: ByteStream {
    /// What the loop polls for it.
    var descriptor: CInt { get }

    /// Whether it has to write for reasons of its own: while it connects.
    var wantsWrite: Bool { get }

    /// Whether it holds bytes, or an end, to be read, of which ``descriptor`` does not tell.
    var hasUnread: Bool { get }

    /// Goes on to connect, once ``descriptor`` is ready; false while it takes more. Throws
    /// ``AMQPError/Code/connectionLost``.
    func finishConnecting() throws(AMQPError) -> Bool

    /// Ends the stream; what was written is still sent, as far as the network can. Nothing else is called afterwards.
    func close()
}

extension Transport {
    package var hasUnread: Bool { false }
}
