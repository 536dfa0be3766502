/// What becomes of delivered bodies that are too large to be held in memory: they are written to a file without a name
/// while they arrive, and the delivery has a ``LargeBody``.
///
/// Writing is done by the connection's thread, into the system's cache of the disk.
public struct BodySpool: Sendable, Equatable {
    /// Bodies of more bytes than this are spooled.
    public var threshold: Int
    /// Where the files are made. Nil for the folder that `TMPDIR` names (`/tmp` where it is not set), or `/var/tmp` where that
    /// cannot be used. One that lies in memory (tmpfs) is not taken, since a file there is memory as well.
    public var folder: String?
    /// Bodies of more bytes than this are not kept. RabbitMQ lets no message above 512 MiB through.
    public var maximumSize: Int64

    public init(threshold: Int = 1 << 20, folder: String? = nil, maximumSize: Int64 = 512 << 20) {
        self.threshold = threshold
        self.folder = folder
        self.maximumSize = maximumSize
    }
}
