import ActorBus
import Foundation
import Glibc
import Testing

extension EndToEnd {
    /// The live view, in a terminal and without one.
    @Suite struct TopTests {
        /// Runs `top` in a terminal of its own, ends it in some way, and looks at how it leaves the terminal.
        private static let program = """
            import os, pty, select, signal, sys, termios, time

            program, way = sys.argv[1:3]
            command = [program, "top", "--every", "0.2", "--metrics-base-port", "1"]
            if way == "stop":
                # With job control, so that there is somebody to be stopped for.
                command = ["/bin/bash", "-mc", " ".join(command) + "; echo IS STOPPED; read; fg; exit $?"]
            child, terminal = pty.fork()
            if child == 0:
                os.execv(command[0], command)
            before = termios.tcgetattr(terminal)
            seen = b""

            def read_until(what, start=0):
                global seen
                deadline = time.monotonic() + 30
                while what not in seen[start:]:
                    if time.monotonic() > deadline:
                        sys.exit("%r was not seen in %r" % (what, seen[-2000:]))
                    if select.select([terminal], [], [], 0.1)[0]:
                        seen += os.read(terminal, 65536)

            def expect_restored(attributes=True):
                last = seen.rfind(b"\\x1b[?1049h")
                if last < 0 or seen.find(b"\\x1b[?25h\\x1b[?1049l", last) < 0:
                    sys.exit("the screen was not put back: %r" % seen[-2000:])
                if attributes and termios.tcgetattr(terminal) != before:
                    sys.exit("the terminal's settings were not put back")

            # Twice, so that the second frame is there too.
            read_until(b"broker up")
            read_until(b"broker up", len(seen))
            if termios.tcgetattr(terminal)[3] & termios.ECHO:
                sys.exit("the terminal still echoes")
            if way == "stop":
                os.write(terminal, b"\\x1a")
                read_until(b"IS STOPPED")
                expect_restored()
                os.write(terminal, b"\\n")
                read_until(b"\\x1b[?1049h", len(seen))
                os.write(terminal, b"q")
            elif way == "q":
                os.write(terminal, b"q")
            elif way == "ctrl-c":
                os.write(terminal, b"\\x03")
            else:
                os.kill(child, getattr(signal, way))
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                if select.select([terminal], [], [], 0.1)[0]:
                    try:
                        seen += os.read(terminal, 65536)
                    except OSError:
                        break
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            expect_restored()
            expected = -signal.SIGSEGV if way == "SIGSEGV" else 0
            if status != expected:
                sys.exit("it ended with %r: %r" % (status, seen[-2000:]))
            """

        @Test(.timeLimit(.minutes(2)), arguments: ["q", "ctrl-c", "SIGTERM", "SIGHUP", "SIGSEGV", "stop"])
        func theTerminalIsPutBack(way: String) async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let file = "\(scene.folder)/top.py"
                try Self.program.write(toFile: file, atomically: true, encoding: .utf8)
                let process = try await scene.start(
                    program: try Program.python(), [file, try Program.pipelineRun(), way],
                    ["AMQP_URL": host.url, "TERM": "xterm"], "terminal")
                let exit = try await process.exit(within: .seconds(90))
                #expect(exit.code == 0, "\(process.report)")
            }
        }

        @Test(.timeLimit(.minutes(2))) func withoutATerminalItWritesLines() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                #expect(try await scene.run(["topology", "declare"], on: host).exit.code == 0)
                try await host.publish((0..<3).map { Message(text: "\($0)") }, to: "orders")
                let notification = try await scene.start("notification", on: host)
                try await notification.becomesReady()
                try await host.waits(for: 3, in: ["notifications_orders_queue.dlq"])
                let page = "http://127.0.0.1:\(try await notification.port())/metrics"
                let flags = [
                    "top", "--every", "0.2", "--metrics", page, "--metrics", "http://127.0.0.1:1/metrics",
                ]
                let top = try await scene.start(flags, on: host)
                _ = try await within(.seconds(30), "a line with everything") { [output = top.output] in
                    await output.first {
                        $0.contains("broker=up payment_processor_queue=3 ") && $0.contains(" dead_letters=3 ")
                            && $0.contains(" notification_per_second=0.0 ") && $0.hasSuffix(" away=127.0.0.1:1")
                    }
                }
                // It goes on when a service goes.
                try await notification.drains()
                _ = try await within(.seconds(30), "a line without the service") { [output = top.output] in
                    await output.first { $0.hasSuffix(" away=notification,127.0.0.1:1") }
                }
                top.signal(SIGTERM)
                #expect(try await top.exit(within: .seconds(20)).code == 0, "\(top.report)")
                #expect(top.output.lines.allSatisfy { $0.contains("broker=") && !$0.contains("\u{1b}") })

                let (exit, lonely) = try await scene.run(
                    ["top", "--every", "0.2", "--count", "3", "--metrics-base-port", "1"],
                    environment: ["AMQP_URL": "amqp://127.0.0.1:1/"])
                #expect(exit.code == 0 && lonely.output.lines.count == 3, "\(lonely.report)")
                #expect(lonely.output.lines.last?.contains("broker=away payment_processor_queue=- ") == true)
            }
        }
    }
}
