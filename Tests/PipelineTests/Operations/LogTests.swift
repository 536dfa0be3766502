import Foundation
import Glibc
import Logging
@testable import Pipeline
import Testing

@Suite("Logs")
struct LogTests {
    private static let time = Timestamp(clamping: 1_767_781_800_123)

    /// What is logged in `body`, as it came out of a pipe.
    private func written(
        _ format: LogFormat, colors: Bool = false, level: Logger.Level = .trace, _ body: (Logger) -> Void
    ) throws -> String {
        let pipe = Pipe()
        let output = LogOutput(
            format: format, level: level,
            writer: LineWriter(descriptor: pipe.fileHandleForWriting.fileDescriptor),
            terminal: TerminalCapabilities(isTerminal: colors, hasColors: colors, redrawsLines: colors),
            now: { Self.time })
        body(output.logger(service: "payment"))
        output.writer.flush(patience: .seconds(10))
        try pipe.fileHandleForWriting.close()
        return String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    }

    @Test("A JSON line has time, level, service, message, then the metadata by name")
    func json() throws {
        let text = try written(.json) { logger in
            logger.warning(
                "Card refused",
                metadata: [
                    "order_id": .stringConvertible(Int64(42)), "big": .stringConvertible(UInt64.max),
                    "ok": .stringConvertible(false), "share": .stringConvertible(0.5),
                    "nan": .stringConvertible(Double.nan),
                    "list": ["a", .stringConvertible(1)], "more": ["b": "x", "a": "y"], "level": "mine",
                ])
        }
        #expect(
            text
                == #"{"time":"2026-01-07T10:30:00.123Z","level":"WARNING","service":"payment","message":"Card refused","#
                + #""big":18446744073709551615,"level_":"mine","list":["a",1],"more":{"a":"y","b":"x"},"nan":"nan","#
                + #""ok":false,"order_id":42,"share":0.5}"# + "\n")
    }

    @Test("Whatever a message holds, its line is one line of valid JSON and gives it back")
    func jsonEscaping() throws {
        let nasty =
            "quote \" back\\slash \n\r\t\u{0}\u{7}\u{1b}[2J\u{7f}\u{9b}31m\u{202e}\u{2028}\u{feff} größe €😀 "
            + "\u{10ffff}"
        let text = try written(.json) { $0.info("\(nasty)", metadata: ["k\n\"": .string(nasty)]) }
        #expect(text.filter { $0 == "\n" }.count == 1)
        #expect(text.dropLast().unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) })
        #expect(!text.unicodeScalars.contains("\u{202e}"))
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: String])
        #expect(object["message"] == nasty)
        #expect(object["k\n\""] == nasty)
        #expect(object["level"] == "INFO")
    }

    @Test("A pretty line", arguments: Logger.Level.allCases)
    func pretty(level: Logger.Level) throws {
        let text = try written(.pretty) {
            $0.log(level: level, "Paid", metadata: ["b": "two words", "a": "1", "c": "x=\"y\"", "d": ""])
        }
        let name = "\(level)".uppercased()
        let padding = String(repeating: " ", count: 8 - name.count)
        let rest = #"payment      Paid a=1 b="two words" c="x=\"y\"" d="""#
        #expect(text == "10:30:00.123 \(name)\(padding) \(rest)\n")
    }

    @Test("A message cannot move the cursor or forge a line of the terminal")
    func prettyEscaping() throws {
        let text = try written(.pretty) {
            $0.info("a\u{1b}[2J\nERROR forged\u{9b}31m\u{202e}", metadata: ["k\u{1b}": "v\u{1b}]0;title\u{7}\r"])
        }
        #expect(text.filter { $0 == "\n" }.count == 1)
        #expect(text.dropLast().unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) })
        #expect(!text.unicodeScalars.contains("\u{202e}"))
        #expect(text.contains("ERROR forged"))
    }

    @Test("Colours appear on a terminal that has them and nowhere else")
    func colors() throws {
        let colored = try written(.auto, colors: true) { $0.error("x") }
        #expect(colored.contains("\u{1b}[31mERROR"))
        #expect(colored.contains("\u{1b}[32mpayment"))
        let plain = try written(.pretty) { $0.error("x") }
        #expect(!plain.contains("\u{1b}"))
        #expect(colored.replacing(/\u{1b}\[[0-9;]*m/, with: "") == plain)
    }

    @Test("auto is JSON where no terminal is")
    func auto() throws {
        #expect(try written(.auto) { $0.info("x") }.hasPrefix("{"))
    }

    @Test("Levels below the chosen one are silent; metadata of the logger, its provider and the error are shown")
    func levelsAndMetadata() throws {
        struct Refused: Error {}
        let text = try written(.json, level: .notice) { logger in
            var logger = logger
            logger[metadataKey: "a"] = "logger"
            logger[metadataKey: "b"] = "logger"
            logger.info("hidden")
            logger.notice("shown", error: Refused(), metadata: ["b": "nearer"])
        }
        #expect(text.hasSuffix(#""message":"shown","a":"logger","b":"nearer","error":"Refused()"}"# + "\n"))
        #expect(!text.contains("hidden"))
    }

    @Test("A body of megabytes does not become a line of megabytes")
    func long() throws {
        let text = try written(.json) { $0.info("\(String(repeating: "x", count: 1_000_000))") }
        #expect(text.utf8.count < 10_000)
        #expect(text.contains("x…\""))
    }

    @Test("Lines of many threads never mix, also longer ones than a pipe takes at once", .timeLimit(.minutes(1)))
    func interleaving() async throws {
        let pipe = Pipe()
        let output = LogOutput(
            format: .json, writer: LineWriter(descriptor: pipe.fileHandleForWriting.fileDescriptor))
        let reader = pipe.fileHandleForReading
        async let read = RawHTTP.blocking { try reader.readToEnd() ?? Data() }
        let filling = String(repeating: "y", count: 6000)
        let threads = (0..<4).map { number in
            let done = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                let logger = output.logger(service: "s\(number)")
                for index in 0..<40 { logger.info("\(index)", metadata: ["filling": .string(filling)]) }
                done.signal()
            }
            return done
        }
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                for thread in threads { thread.wait() }
                continuation.resume()
            }
        }
        try await RawHTTP.blocking { output.writer.flush(patience: .seconds(10)) }
        try pipe.fileHandleForWriting.close()
        let lines = String(decoding: try await read, as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 160)
        #expect(output.writer.lostLines == 0)
        var next: [String: Int] = [:]
        for line in lines {
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String])
            let service = try #require(object["service"])
            #expect(object["message"] == "\(next[service, default: 0])")
            #expect(object["filling"] == filling)
            next[service, default: 0] += 1
        }
    }

    @Test("A reader that is gone costs lines, not the process")
    func brokenPipe() throws {
        let pipe = Pipe()
        let writer = LineWriter(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        let data = DataWriter(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        try pipe.fileHandleForReading.close()
        writer.write(Array("lost\n".utf8))
        writer.write(Array("lost too\n".utf8))
        writer.flush(patience: .seconds(10))
        #expect(writer.lostLines == 2)
        #expect(!data.hasFailed)
        data.write(Array("lost\n".utf8))
        #expect(data.hasFailed)
    }

    @Test("A descriptor that is closed costs lines, not the process")
    func badDescriptor() {
        let writer = LineWriter(descriptor: 1 << 20)
        writer.write(Array("x\n".utf8))
        writer.flush(patience: .seconds(10))
        #expect(writer.lostLines == 1)
    }

    @Test("Nothing is locked while data wait for their reader", .timeLimit(.minutes(1)))
    func waitingData() async throws {
        let pipe = Pipe()
        let data = DataWriter(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        let lines = [String(repeating: "a", count: 400_000), "b", "c"]
        let isFull = pollfd(fd: pipe.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
        async let first: Void = RawHTTP.blocking { data.write(Array((lines[0] + "\n").utf8)) }
        // The first is under way, and nobody reads: neither of these waits for it.
        try await RawHTTP.blocking {
            var isFull = isFull
            unsafe poll(&isFull, 1, -1)
            for line in lines.dropFirst() { data.write(Array((line + "\n").utf8)) }
        }
        #expect(!data.hasFailed)
        let reader = pipe.fileHandleForReading
        async let read = RawHTTP.blocking { try reader.readToEnd() ?? Data() }
        try await first
        try pipe.fileHandleForWriting.close()
        #expect(String(decoding: try await read, as: UTF8.self).split(separator: "\n").map(String.init) == lines)
        #expect(!data.hasFailed)
    }

    private static let line = Array(String(repeating: "z", count: 999).utf8) + [UInt8(ascii: "\n")]

    @Test(
        "A slow reader gets every line, also of a descriptor that does not block", .timeLimit(.minutes(1)),
        arguments: [true, false])
    func slowReader(blocks: Bool) async throws {
        let pipe = Pipe()
        let descriptor = pipe.fileHandleForWriting.fileDescriptor
        if !blocks { #expect(fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0) }
        let writer = LineWriter(descriptor: descriptor)
        // More than a pipe holds, and the first by itself.
        let lines =
            [String(repeating: "z", count: 400_000)] + (0..<500).map { "\($0) " + String(repeating: "y", count: 999) }
        for line in lines { writer.write(Array((line + "\n").utf8)) }
        let reader = pipe.fileHandleForReading
        async let read = RawHTTP.blocking { try reader.readToEnd() ?? Data() }
        try await RawHTTP.blocking { writer.flush(patience: .seconds(10)) }
        try pipe.fileHandleForWriting.close()
        let text = String(decoding: try await read, as: UTF8.self)
        #expect(text.split(separator: "\n").map(String.init) == lines)
        #expect(writer.lostLines == 0)
    }

    @Test("Nobody waits for a reader that does not read, and what found no room is told", .timeLimit(.minutes(1)))
    func unreadPipe() async throws {
        let pipe = Pipe()
        let writer = LineWriter(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        let began = ContinuousClock.now
        for _ in 0..<3_000 { writer.write(Self.line) { Array("\($0) lost\n".utf8) } }
        writer.flush(patience: .milliseconds(50))
        writer.flush(patience: .seconds(30))
        #expect(ContinuousClock.now - began < .seconds(15), "given up once, and not tried again")
        let lost = writer.lostLines
        #expect(lost > 0 && 3_000 - Int(lost) > 1_000)
        writer.writePassing(Array(repeating: 0, count: LineWriter.largestBacklog + 1))
        #expect(writer.lostLines == lost)
        let reader = pipe.fileHandleForReading
        async let read = RawHTTP.blocking { try reader.readToEnd() ?? Data() }
        try await RawHTTP.blocking {
            // The first flush gave up, and the next one does so too until something is written.
            while writer.isStuck { usleep(1_000) }
            writer.flush(patience: .seconds(10))
        }
        try pipe.fileHandleForWriting.close()
        let lines = String(decoding: try await read, as: UTF8.self).split(separator: "\n")
        let notices = lines.filter { $0.hasSuffix(" lost") }
        // Where they are missing, and also without another line behind them.
        let told = notices.compactMap { $0.split(separator: " ").first.flatMap { UInt64($0) } }
        #expect(told.reduce(0, +) == lost && lines.count - notices.count == 3_000 - Int(lost))
    }

    @Test("Lines that go together into a pipe are whole, as other processes write to it too", .timeLimit(.minutes(1)))
    func wholeLines() async throws {
        // A socket of packets gives back what was written in one piece.
        var ends: [Int32] = [-1, -1]
        let made = unsafe socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue), 0, &ends)
        try #require(made == 0)
        let (reading, writing) = (ends[0], ends[1])
        let writer = LineWriter(descriptor: writing)
        for _ in 0..<500 { writer.write(Self.line) }
        async let read = RawHTTP.blocking { () -> [Int] in
            var lengths: [Int] = []
            var packet = [UInt8](repeating: 0, count: 65_536)
            while lengths.reduce(0, +) < 500_000 {
                let length = unsafe packet.withUnsafeMutableBytes {
                    unsafe Glibc.read(reading, $0.baseAddress, $0.count)
                }
                guard length > 0 else { break }
                lengths.append(length)
            }
            return lengths
        }
        let lengths = try await read
        #expect(lengths.reduce(0, +) == 500_000 && lengths.allSatisfy { $0.isMultiple(of: 1_000) && $0 <= 4_096 })
        close(reading)
        close(writing)
    }

    @Test("A reader that goes costs what waits for it; the next one begins with a whole line", .timeLimit(.minutes(1)))
    func leavingReader() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/fifo"
        let made = unsafe mkfifo(path, 0o600)
        try #require(made == 0)
        // Opened for both, it needs no reader to be opened.
        let writing = unsafe open(path, O_RDWR | O_CLOEXEC)
        let first = unsafe open(path, O_RDONLY | O_CLOEXEC)
        let only = unsafe open(path, O_WRONLY | O_CLOEXEC)
        close(writing)
        let writer = LineWriter(descriptor: only)
        let long = Array(String(repeating: "z", count: 900_000).utf8) + [UInt8(ascii: "\n")]
        writer.write(long)
        for _ in 0..<10 { writer.write(Self.line) }
        // The first is on its way, and the others wait for it.
        let begun = try await RawHTTP.blocking { () -> Int32 in
            var waiting = pollfd(fd: first, events: Int16(POLLIN), revents: 0)
            return unsafe poll(&waiting, 1, 20_000)
        }
        #expect(begun == 1 && writer.lostLines == 0)
        close(first)
        try await RawHTTP.blocking { writer.flush(patience: .seconds(10)) }
        #expect(writer.lostLines == 11)
        let second = unsafe open(path, O_RDONLY | O_CLOEXEC)
        writer.write(Array("whole\n".utf8))
        // What the first one left in the pipe comes before it.
        let text = try await RawHTTP.blocking { () -> String in
            var text = ""
            var bytes = [UInt8](repeating: 0, count: 65_536)
            while !text.hasSuffix("whole\n") {
                let length = unsafe bytes.withUnsafeMutableBytes { unsafe Glibc.read(second, $0.baseAddress, $0.count) }
                guard length > 0 else { break }
                text += String(decoding: bytes.prefix(length), as: UTF8.self)
            }
            return text
        }
        #expect(text.hasSuffix("z\nwhole\n") && text.count { $0 == "\n" } == 2)
        close(second)
        close(only)
    }

    @Test("A terminal is known as such, and NO_COLOR and TERM=dumb are obeyed")
    func terminal() throws {
        // The controlling side of a pseudo-terminal is a terminal too.
        let side = unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY)
        try #require(side >= 0)
        defer { close(side) }
        let normal = TerminalCapabilities(descriptor: side) { $0 == "TERM" ? "xterm" : nil }
        #expect(normal == TerminalCapabilities(isTerminal: true, hasColors: true, redrawsLines: true))
        for refusal in ["1", "0"] {
            let plain = TerminalCapabilities(descriptor: side) { ["TERM": "xterm", "NO_COLOR": refusal][$0] }
            #expect(plain == TerminalCapabilities(isTerminal: true, hasColors: false, redrawsLines: true))
        }
        let empty = TerminalCapabilities(descriptor: side) { ["TERM": "xterm", "NO_COLOR": ""][$0] }
        #expect(empty == normal)
        for kind in ["dumb", "", nil] {
            let dumb = TerminalCapabilities(descriptor: side) { $0 == "TERM" ? kind : nil }
            #expect(dumb == TerminalCapabilities(isTerminal: true, hasColors: false, redrawsLines: false))
        }
        let pipe = Pipe()
        let file = TerminalCapabilities(descriptor: pipe.fileHandleForWriting.fileDescriptor) { _ in "xterm" }
        #expect(file == TerminalCapabilities(isTerminal: false, hasColors: false, redrawsLines: false))
    }

    @Test("Names of levels and formats are read in any case; others are refused with what is possible")
    func parsing() throws {
        #expect(try Logger.Level(parsing: "WARNING") == .warning)
        for level in Logger.Level.allCases { #expect(try Logger.Level(parsing: level.rawValue) == level) }
        #expect(try LogFormat(parsing: "Json") == .json)
        let level = #expect(throws: LogSettingError.self) { try Logger.Level(parsing: "loud\u{1b}") }
        #expect(
            level?.description
                == "unknown log level \"loud\\u{1b}\": use one of trace, debug, info, notice, warning, error, critical")
        let format = #expect(throws: LogSettingError.self) { try LogFormat(parsing: "") }
        #expect(format?.description == "unknown log format \"\": use one of auto, pretty, json")
    }

    @Test(
        "Milliseconds of any moment",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (7, "1970-01-01T00:00:00.007Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (1_767_781_800_050, "2026-01-07T10:30:00.050Z"),
        ])
    func milliseconds(value: Int64, text: String) {
        #expect(Timestamp(clamping: value).textWithMilliseconds == text)
    }
}
