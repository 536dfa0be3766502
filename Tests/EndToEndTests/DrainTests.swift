import ActorBus
import Foundation
import LocalBroker
import Testing

extension EndToEnd {
    /// What a stop signal does to work in hand.
    @Suite struct DrainTests {
        private static let queue = "payment_processor_queue"

        private func orders(_ count: Int, _ scene: Scene, on host: VirtualHost) async throws {
            let (exit, generator) = try await scene.run(
                ["generator", "--speed", "max", "--max-orders", "\(count)"], on: host)
            #expect(exit.code == 0, "\(generator.report)")
        }

        private func hasInHand(_ count: Double, _ process: ChildProcess) async throws {
            try await eventually("\(count) messages in hand") {
                try await process.metrics()["pipeline_messages_in_flight", ["queue": Self.queue]] == count
            }
        }

        @Test(.timeLimit(.minutes(2)), arguments: [1, 4])
        func workInHandIsFinished(concurrency: Int) async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                try await Witness.watching(host) { witness in
                    try await orders(12, scene, on: host)
                    let payment = try await scene.start(
                        "payment", "--payment-time", "0.5-1", "--concurrency", "\(concurrency)", on: host)
                    // Some are done, and the next ones begun.
                    let settled = ["queue": Self.queue, "outcome": "acknowledged"]
                    try await eventually("a payment is done") {
                        (try await payment.metrics()["pipeline_messages_settled_total", settled] ?? 0) >= 1
                    }
                    try await hasInHand(Double(concurrency), payment)
                    try await payment.drains(within: .seconds(10))
                    // Without consumers every message that is not done is ready.
                    let left = try await host.depths(of: [Self.queue])[Self.queue] ?? 0
                    let done = try await witness.sees("the payments done") { $0.payments.count >= 12 - Int(left) }
                    #expect(done.payments.count == 12 - Int(left))
                    #expect(done.payments.count > concurrency, "what was in hand was not finished")
                    #expect(left > 0, "the signal came too late to show anything")

                    let other = try await scene.start("payment", "--speed", "max", on: host)
                    let all = try await witness.sees("all payments") { $0.payments.count == 12 }
                    try await other.drains()
                    #expect(all.duplicates == 0)
                    #expect(all.payments.values.allSatisfy { $0.allSatisfy { !$0.1.redelivered } })
                }
            }
        }

        /// At whatever moment it comes while connections are being opened.
        @Test(.timeLimit(.minutes(1)), arguments: ["generator", "payment", "fulfillment", "notification"])
        func aStopDuringTheStartIsNoFailure(role: String) async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                for moment in ["Metrics and health", "\"publishing\""] {
                    for _ in 1...3 {
                        let process = try await scene.start([role, "--log-level", "debug"], on: host)
                        try await process.log(moment)
                        try await process.drains(within: .seconds(10))
                    }
                }
            }
        }

        @Test(.timeLimit(.minutes(1))) func tooShortADrainGivesTheMessageBack() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                try await orders(1, scene, on: host)
                let payment = try await scene.start(
                    "payment", "--payment-time", "15-16", "--drain-timeout", "1", on: host)
                try await hasInHand(1, payment)
                payment.signal(SIGTERM)
                // While it drains it takes no more work, and says so.
                try await eventually("not ready while draining") { try await payment.ready().status == 503 }
                let exit = try await payment.exit(within: .seconds(10))
                #expect(exit.code == 75, "\(payment.report)")
                let error = payment.errors.lines.last { $0.contains("ERROR") } ?? ""
                #expect(error.contains("--drain-timeout"), "\(payment.report)")
                try await host.waits(for: 1, in: [Self.queue])
            }
        }

        @Test(.timeLimit(.minutes(1)), arguments: [SIGTERM, SIGINT])
        func aSecondSignalEndsAtOnce(number: Int32) async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                try await orders(1, scene, on: host)
                let payment = try await scene.start("payment", "--payment-time", "40-41", on: host)
                try await hasInHand(1, payment)
                payment.signal(number)
                try await payment.log("Stopping")
                // Two that come at the same moment, as `timeout` sends them, are one.
                try await Task.sleep(for: .milliseconds(300))
                payment.signal(number)
                let exit = try await payment.exit(within: .seconds(3))
                #expect(exit.code == 130 && !exit.isSignal, "\(payment.report)")
                try await host.waits(for: 1, in: [Self.queue])
            }
        }

        /// As `timeout` does it, which signals its child and then its whole group.
        @Test(.timeLimit(.minutes(1))) func twoSignalsAtTheSameMomentAreOne() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                try await orders(1, scene, on: host)
                let payment = try await scene.start("payment", "--payment-time", "1-1", on: host)
                try await hasInHand(1, payment)
                payment.signal(SIGTERM)
                payment.signalGroup(SIGTERM)
                let exit = try await payment.exit(within: .seconds(10))
                #expect(exit.code == 0, "\(payment.report)")
                #expect(try await host.depths(of: [Self.queue]) == [Self.queue: 0])
            }
        }

        @Test(.timeLimit(.minutes(2))) func theGeneratorStopsBetweenOrders() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                try await Witness.watching(host) { witness in
                    for _ in 1...3 {
                        let generator = try await scene.start("generator", "--speed", "max", on: host)
                        try await eventually("50 orders are confirmed") {
                            (try await generator.metrics()["orders_generated_total"] ?? 0) > 50
                        }
                        try await generator.drains()
                    }
                    let count = try await host.depths(of: [Self.queue])[Self.queue] ?? 0
                    let seen = try await witness.sees("every order") { $0.orders.count == Int(count) }
                    // Each once, and no number left out.
                    #expect(seen.duplicates == 0)
                    #expect(Set(seen.orders.keys) == Set((1...Int64(seen.orders.count))))
                }
            }
        }

        @Test(.timeLimit(.minutes(2))) func servicesThatAreKilledLoseNothing() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                try await Witness.watching(host) { witness in
                    let pace = ["--speed", "100"]
                    let roles = ["payment", "fulfillment", "notification"]
                    var generator = try await scene.start(["generator"] + pace, on: host)
                    var running: [ChildProcess] = []
                    for role in roles { running.append(try await scene.start([role] + pace, on: host)) }
                    for round in 1...3 {
                        try await witness.sees("shipments") { $0.shipments.count >= 25 * round }
                        for process in running + [generator] { process.signal(SIGKILL) }
                        for process in running + [generator] { _ = try await process.exit(within: .seconds(10)) }
                        running = []
                        generator = try await scene.start(["generator"] + pace, on: host)
                        for role in roles { running.append(try await scene.start([role] + pace, on: host)) }
                    }
                    try await generator.becomesReady()
                    try await generator.drains()
                    let total = try await witness.settlesDown()
                    total.expectConsistent(orders: total.orders.count)
                    #expect(Set(total.orders.keys) == Set(1...Int64(total.orders.count)))
                    try await host.isEmptied(by: running)
                }
            }
        }

        /// What is logged goes to a pipe, or to a terminal, that nobody reads.
        @Test(.timeLimit(.minutes(3)), arguments: ["pipe", "terminal"])
        func anUnreadLogHoldsUpNoStop(kind: String) async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let program = """
                    import os, pty, signal, subprocess, sys, time, urllib.request
                    kind, port, program = sys.argv[1:]
                    _, end = pty.openpty() if kind == "terminal" else os.pipe()
                    child = subprocess.Popen(
                        [program, "all", "--speed", "max", "--interval", "0.01"], stderr=end, stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL)
                    def generated():
                        try:
                            page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
                        except OSError:
                            return 0
                        # The page is there before the generator counts.
                        counts = page.split("\\norders_generated_total ")[1:]
                        return float(counts[0].split()[0]) if counts else 0
                    try:
                        while generated() < 2000:
                            assert child.poll() is None, "it has ended"
                            time.sleep(0.1)
                        print("working", flush=True)
                        began = time.monotonic()
                        child.send_signal(signal.SIGTERM)
                        code = child.wait(timeout=40)
                        print("exit", code, "in time" if time.monotonic() - began < 20 else "late", flush=True)
                    finally:
                        if child.poll() is None:
                            child.kill()
                    """
                let port = try Loopback.freePorts(1)[0]
                let script = try await scene.start(
                    program: try Program.python(), ["-c", program, kind, "\(port)", try Program.pipelineRun()],
                    [
                        "AMQP_URL": host.url, "PIPELINE_STATE_DIR": "\(scene.folder)/state",
                        "PIPELINE_METRICS_BASE_PORT": "\(port)", "TERM": "xterm",
                    ], "unread")
                try await script.printed(within: .seconds(90), "that it works") { $0 == "working" }
                try await script.printed(within: .seconds(45), "its end") { $0 == "exit 0 in time" }
            }
        }
    }
}
