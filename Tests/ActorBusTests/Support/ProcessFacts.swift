import Glibc

/// What the kernel says of this process.
enum ProcessFacts {
    static var threads: Int { entries(of: "/proc/self/task") }
    /// Open descriptors, the one that counts them included.
    static var descriptors: Int { entries(of: "/proc/self/fd") }

    private static func entries(of folder: String) -> Int {
        guard let handle = unsafe opendir(folder) else { return -1 }
        defer { unsafe closedir(handle) }
        var count = 0
        while unsafe readdir(handle) != nil { count += 1 }
        return count - 2
    }

    /// The processor time of the calling thread, in milliseconds.
    static var threadMilliseconds: Int {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int(time.tv_sec) * 1000 + Int(time.tv_nsec) / 1_000_000
    }
}
