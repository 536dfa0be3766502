import FoundationEssentials
import Pipeline

/// The generator's state folder, of which a killed process leaves what it had written.
final class StateFolder {
    private static let files = FileManager.default
    /// In memory where the system has such a folder: a run writes hundreds of times, and waits for each.
    private static let place = files.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : files.temporaryDirectory.path

    let path: String

    init() throws {
        path = "\(Self.place)/simulate-pipeline-\(UUID().uuidString)"
        try Self.files.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        // What is left over lies among temporary files.
        try? Self.files.removeItem(atPath: path)
    }

    var directory: StateDirectory { StateDirectory(path: path) }

    /// The files as they are. A process that was killed here, and holds them open, has no part in the copy.
    func copy() throws -> StateFolder {
        let copy = try StateFolder()
        for name in try Self.files.contentsOfDirectory(atPath: path) {
            try Self.files.copyItem(atPath: "\(path)/\(name)", toPath: "\(copy.path)/\(name)")
        }
        return copy
    }
}
