/// A message whose body is too large to be encoded at once: it is written frame by frame as the socket takes it, so that
/// memory holds little of it and frames of other channels go in between. Touched by the connection's thread alone.
final class OutgoingBody {
    /// A body up to this size is encoded at once, in bytes.
    static let encodedAtOnce: Int64 = 256 << 10

    let request: PublishRequest
    let channel: Channel
    /// How much of the body is encoded.
    var position: Int64 = 0
    /// The number of the last byte that is encoded, as ``SendBuffer/appended`` counts.
    var end: UInt64 = 0
    /// How far an earlier attempt came, which to repeat is no progress.
    private let repeated: Int64
    /// What has to wait until the message is whole, since the protocol allows nothing on its channel before.
    var behind: [OutgoingMethod] = []

    init(_ request: PublishRequest, on channel: Channel) {
        self.request = request
        self.channel = channel
        repeated = request.bodyWritten
    }

    /// The socket has taken some of it.
    func progressed(at now: Instant) {
        guard position > repeated else { return }
        request.bodyWritten = position
        request.lastProgress = now
    }

    var isWhole: Bool { position == request.message.bodySize }
}
