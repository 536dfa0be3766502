import Foundation
import Testing

/// The image is built from what its context holds, and the package manager wants all that `Package.swift` names.
@Suite struct ImageContextTests {
    private static func lines(_ path: String) throws -> [String] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
            .split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
    }

    @Test func `has every folder that the package names`() throws {
        let named = try Self.lines("Package.swift").compactMap { line in
            line.firstMatch(of: /path: "([^"\/]+)/).map { String($0.1) }
        }
        #expect(named.contains("Benchmarks"))
        let (file, context) = (try Self.lines("deploy/image/Containerfile"), try Self.lines(".containerignore"))
        for folder in Set(named).union(["Sources", "Tests"]) {
            #expect(file.contains("COPY \(folder) \(folder)"))
            #expect(context.contains("!\(folder)"))
        }
    }
}
