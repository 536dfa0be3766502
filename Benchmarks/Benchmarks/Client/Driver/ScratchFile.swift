import FoundationEssentials

/// Files of a run.
enum ScratchFile {
    static func path(_ name: String, in folder: String) -> String { "\(folder)/bench-\(UUID().uuidString)-\(name)" }

    static var systemFolder: String { FileManager.default.temporaryDirectory.path(percentEncoded: false) }

    static func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }
}
