import FoundationEssentials
import Testing

@testable import Pipeline

@Suite("State directory")
struct StateDirectoryTests {
    private func failure(_ flag: String?, _ environment: [String: String]) -> StateError? {
        do {
            _ = try StateDirectory.resolve(flag: flag, environment: environment)
            return nil
        } catch {
            return error
        }
    }

    @Test("is the flag's, else XDG's, else the home's")
    func resolution() throws {
        let both = ["XDG_STATE_HOME": "/x/state", "HOME": "/home/a"]
        #expect(try StateDirectory.resolve(flag: "/flag", environment: both).path == "/flag")
        #expect(try StateDirectory.resolve(flag: "relative", environment: both).path == "relative")
        #expect(try StateDirectory.resolve(flag: nil, environment: both).path == "/x/state/order-pipeline")
        #expect(
            try StateDirectory.resolve(flag: nil, environment: ["HOME": "/home/a"]).path
                == "/home/a/.local/state/order-pipeline")
        #expect(
            try StateDirectory.resolve(flag: nil, environment: ["XDG_STATE_HOME": "", "HOME": "/home/a/"]).path
                == "/home/a/.local/state/order-pipeline")
        #expect(
            try StateDirectory.resolve(flag: nil, environment: ["HOME": "/"]).path == "/.local/state/order-pipeline")
    }

    @Test("is nowhere where nothing names it")
    func unresolved() {
        #expect(failure(nil, [:])?.code == .noFolder)
        #expect(failure(nil, ["HOME": ""])?.remedy == "name a folder")
        #expect(failure("", ["HOME": "/home/a"])?.code == .noFolder)
        #expect(
            failure(nil, ["XDG_STATE_HOME": "state", "HOME": "/home/a"])?.message
                == "XDG_STATE_HOME is \"state\", which is no absolute path")
        #expect(failure(nil, ["HOME": "~"])?.message == "HOME is \"~\", which is no absolute path")
    }

    @Test("is made for its owner alone, and may exist already")
    func preparation() throws {
        let folder = try TemporaryFolder()
        let directory = StateDirectory(path: folder.path + "/a//b/c/")
        try directory.prepare()
        try directory.prepare()
        for part in ["a", "a/b", "a/b/c"] { #expect(folder.permissions(part) == 0o700) }
        #expect(directory.file("x") == folder.path + "/a//b/c/x")
        #expect(StateDirectory(path: "/a").file("x") == "/a/x")
    }

    @Test("cannot be made below a file, and says which folder")
    func belowFile() throws {
        let folder = try TemporaryFolder()
        try folder.write([], to: "file")
        do {
            try StateDirectory(path: folder.path + "/file/state").prepare()
            Issue.record("a folder below a file")
        } catch {
            #expect(error.code == .unusable)
            let file = folder.path + "/file"
            #expect(error.message.hasPrefix("cannot make the folder \(file)/state: \(file) is no folder"))
        }
    }

    @Test("cannot be one that the system refuses to write to")
    func unwritable() {
        do {
            try StateDirectory(path: "/proc/self/state").prepare()
            Issue.record("a folder in /proc")
        } catch {
            #expect(error.code == .unusable)
            #expect(error.message.hasPrefix("cannot make the folder /proc/self/state: "))
        }
    }

    @Test(
        "a network volume is named",
        arguments: [
            ("/", nil), ("/data", "nfs4"), ("/data/orders", "nfs4"), ("/database", nil), ("/data/local/x", nil),
            ("/my share/a", "cifs"), ("/shared", "9p"), ("/home/me/cloud", "fuse.sshfs"), ("/hidden/x", nil),
        ] as [(String, String?)])
    func networkVolumes(path: String, kind: String?) {
        let mounts = """
            22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
            30 22 0:40 / /data rw,relatime shared:1 - nfs4 server:/export rw,vers=4.2
            31 30 254:1 / /data/local rw - xfs /dev/vdb rw
            32 22 0:41 / /my\\040share rw - cifs //server/share rw
            33 22 0:42 / /shared rw - 9p host rw
            34 22 0:43 / /home/me/cloud rw - fuse.sshfs me@server: rw
            35 22 0:44 / /hidden rw - nfs server:/old rw
            36 22 0:45 / /hidden rw - tmpfs tmpfs rw
            broken line
            """
        #expect(SystemCall.networkVolume(at: path, mounts: mounts) == kind)
        #expect(SystemCall.networkVolume(at: path, mounts: "") == nil)
    }

    @Test("is examined without being made")
    func condition() throws {
        let folder = try TemporaryFolder()
        let directory = StateDirectory(path: folder.path + "/a/b")
        let before = try directory.examine()
        #expect(!before.exists && before.holder == nil && directory.lastWritten == nil)
        #expect(before.freeBytes ?? 0 > 0)
        #expect(!SystemCall.exists(folder.path + "/a"))

        do {
            let outbox = try OrderOutboxDatabase(in: directory)
            let during = try directory.examine()
            #expect(during.exists && during.holder?.contains("\(SystemCall.processID)") == true)
            #expect(directory.lastWritten != nil)
            #expect(!outbox.origin.isEmpty)
        }
        #expect(try directory.examine().holder == nil)
        #expect(throws: StateError.self) { try StateDirectory(path: directory.file("generator.sqlite")).examine() }
    }
}
