/// What bytes are read from and written to without waiting. Apart from its transports, so that the codec needs no
/// network.
package protocol ByteStream: AnyObject {
    /// Reads what is there, at most `target.count` bytes; 0 when there is nothing. Less than that means that nothing more
    /// is there for now. Throws ``AMQPError/Code/connectionLost`` at the end of the stream and when it broke.
    func read(into target: UnsafeMutableRawBufferPointer) throws(AMQPError) -> Int

    /// Writes what can be taken, which may be nothing, and returns how many bytes that was. Throws
    /// ``AMQPError/Code/connectionLost``.
    func write(_ bytes: UnsafeRawBufferPointer) throws(AMQPError) -> Int
}
