extension OrderOutboxDatabase {
    /// Looks at the outbox of a folder as a generator would find it, without changing its content. False where there is
    /// none.
    ///
    /// Throws `StateError` where the generator could not use it; `damaged` where a page of it makes no sense, which it
    /// may not notice for long.
    package static func examine(in directory: StateDirectory) throws(StateError) -> Bool {
        let path = directory.file(fileName)
        guard SystemCall.exists(path) else { return false }
        try refuseEmpty(path)
        // Without a log and without a writer nothing beside the file itself has to be opened, or made.
        let isQuiet =
            SystemCall.size(of: path + "-wal") ?? 0 == 0 && StateLock.holder(of: directory.file(lockName)) == nil
        let connection = try SQLiteConnection(reading: path, isQuiet: isQuiet)
        let check = try connection.text("PRAGMA integrity_check(1)")
        guard check == "ok" else { throw SQLiteConnection.damaged(path, check) }
        try checkOwner(of: connection, path: path)
        return true
    }

    /// Throws where the file is there and has nothing in it: whatever emptied it took the count and the unconfirmed
    /// orders along, and a new beginning would give the same numbers again.
    static func refuseEmpty(_ path: String) throws(StateError) {
        guard SystemCall.size(of: path) == 0 else { return }
        throw SQLiteConnection.damaged(path, "the file is empty (0 bytes), which no version of the program leaves")
    }
}
