internal import CRabbitMQ

/// Linux calls that Swift's Glibc module does not show.
enum SystemCalls {
    /// A non-blocking eventfd, or -1 with `errno`.
    static func makeEventDescriptor() -> CInt { actorbus_eventfd() }

    /// Whether what is written to a file takes memory, since it lies on a tmpfs.
    static func liesInMemory(_ descriptor: CInt) -> Bool { actorbus_lies_in_memory(descriptor) != 0 }

    /// Names the calling thread; the kernel keeps 15 bytes.
    static func nameThisThread(_ name: String) { unsafe actorbus_name_this_thread(String(name.prefix(15))) }
}
