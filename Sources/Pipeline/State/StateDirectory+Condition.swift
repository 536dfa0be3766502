extension StateDirectory {
    /// How the folder stands, found out without making or changing anything.
    package struct Condition: Sendable, Equatable {
        package let exists: Bool
        /// Who has it locked, in words; nil for nobody.
        package let holder: String?
        /// The room on its disk that this user may fill; nil where the system does not say.
        package let freeBytes: UInt64?
        /// The kind of network volume that it is on, such as `nfs`; nil for a disk of the machine. SQLite's locks and
        /// shared memory hold within one machine only ("Use Of WAL Without Shared-Memory").
        package let networkVolume: String?

        package init(exists: Bool, holder: String?, freeBytes: UInt64?, networkVolume: String?) {
            self.exists = exists
            self.holder = holder
            self.freeBytes = freeBytes
            self.networkVolume = networkVolume
        }
    }

    /// Throws where ``prepare()`` would.
    package func examine() throws(StateError) -> Condition {
        // The folder, or the nearest above it that exists, has to take something new.
        var nearest = path
        while !SystemCall.exists(nearest) {
            guard let slash = nearest.lastIndex(of: "/") else {
                nearest = "."
                break
            }
            nearest = slash == nearest.startIndex ? "/" : String(nearest[..<slash])
        }
        guard SystemCall.isFolder(nearest) else { throw unusable("\(nearest) is no folder") }
        let error = SystemCall.mayWrite(nearest)
        if error != 0 { throw unusable("cannot write to the folder \(nearest): \(SystemCall.words(for: error))") }
        return Condition(
            exists: nearest == path, holder: StateLock.holder(of: file(OrderOutboxDatabase.lockName)),
            freeBytes: SystemCall.freeBytes(at: nearest), networkVolume: SystemCall.networkVolume(at: nearest))
    }

    /// When the database was last written; nil where there is none.
    package var lastWritten: Timestamp? {
        [OrderOutboxDatabase.fileName, OrderOutboxDatabase.fileName + "-wal"]
            .compactMap { SystemCall.lastModified(file($0)) }.max()
    }

    private func unusable(_ message: String) -> StateError {
        StateError(.unusable, message, remedy: "name a folder that this user may write to")
    }
}
