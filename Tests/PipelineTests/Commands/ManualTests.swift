import ArgumentParser
import Foundation
import Testing

@testable import pipeline_run

/// The manual page knows every command and every flag.
@Suite struct ManualTests {
    private static let page: String = {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let page = root.appendingPathComponent("docs/pipeline-run.1")
        // A dash that can be copied is written with a backslash.
        return ((try? String(contentsOf: page, encoding: .utf8)) ?? "").replacing("\\-", with: "-")
    }()

    /// Each command by its words, with what its help says.
    private static func commands(
        _ command: any ParsableCommand.Type = PipelineRun.self, _ path: [String] = []
    ) -> [(path: [String], help: String)] {
        [(path, PipelineRun.helpMessage(for: command, columns: 200))]
            + command.configuration.subcommands.flatMap { subcommand in
                commands(subcommand, path + [subcommand.configuration.commandName ?? ""])
            }
    }

    @Test func `has a place for every command`() {
        let commands = Self.commands()
        #expect(commands.count > 15)
        for (path, _) in commands where !path.isEmpty {
            let name = path.joined(separator: " ")
            #expect(Self.page.contains(".B \(name)\n") || Self.page.contains("\\fB\(name)\\fR"), "\(name)")
        }
        for name in NotYetAvailable.commands.keys { #expect(Self.page.contains(".B \(name)\n"), "\(name)") }
    }

    @Test func `has a line for every flag`() {
        var flags: Set<String> = []
        for (_, help) in Self.commands() {
            for line in help.split(separator: "\n") {
                if let match = line.firstMatch(of: /^ +(?:-h, )?(--[a-z-]+)/) { flags.insert(String(match.1)) }
            }
        }
        #expect(flags.isSuperset(of: ["--amqp-url", "--older-than", "--yes", "--live", "--every", "--help"]))
        for flag in flags.sorted() {
            let isThere = Self.page.split(separator: "\n").contains { line in
                line.hasPrefix(".B") && line.split(separator: " ").contains(Substring(flag))
            }
            #expect(isThere, "\(flag)")
        }
    }

    @Test func `has no flag that does not exist`() {
        let help = Self.commands().map(\.help).joined()
        for line in Self.page.split(separator: "\n") where line.hasPrefix(".BI --") || line.hasPrefix(".B --") {
            let flag = line.split(separator: " ")[1]
            #expect(help.contains("\(flag) ") || help.contains("\(flag)\n"), "\(flag)")
        }
    }
}
