import ActorBus
import Foundation
import Glibc
import LocalBroker
import Testing

extension ChildProcess {
    /// Where its dashboard is, from the line in which it says so.
    func dashboardURL() async throws -> String {
        let line = try await log("The dashboard is at")
        guard let match = line.firstMatch(of: /http:\/\/127\.0\.0\.1:[0-9]+\//) else {
            throw Overdue("no address of the dashboard: \(report)")
        }
        return String(match.0)
    }
}

extension Faults {
    /// The web page of `all`, in a real browser.
    @Suite struct BrowserTests {
        @Test(.timeLimit(.minutes(5))) func thePageShowsTheRunAndWhatBefallsIt() async throws {
            let broker = try await LocalBroker.start()
            try await withScene { scene in
                let host = VirtualHost(of: broker)
                let all = try await scene.start(
                    "all", "--dashboard", "--speed", "10", "--success-rate", "0.5", on: host)
                let browser = try await scene.start(
                    program: try Program.python(),
                    [
                        Program.browserTest("dashboard.py"), try await all.dashboardURL(),
                        try Program.chromium(),
                    ], ["PYTHONDONTWRITEBYTECODE": "1"], "browser", standardInput: true)
                try await browser.does("running", within: .seconds(60))
                // As a stranger would who wants to have the page run something.
                let customer = #"<img src=x onerror=\"window.hacked=1\">"#
                try await host.publish(
                    [
                        Message(
                            text: """
                                {"order_id":77,"customer_email":"\(customer)","items":[],"total_amount":1,\
                                "currency":"EUR","timestamp":"2026-01-07T10:30:00Z","status":"pending"}
                                """)
                    ], to: "orders")
                try await host.publish(
                    [
                        Message(
                            text: """
                                {"order_id":77,"customer_email":"m@example.com","amount":1,"currency":"EUR",\
                                "status":"<script>window.hacked=1</script>","payment_method":null,\
                                "transaction_id":null,"timestamp":"2026-01-07T10:30:00Z","processing_time":1,\
                                "failure_reason":null}
                                """)
                    ], to: "", routingKey: "notifications_payments_queue")
                try browser.send("go on")
                try await browser.does("seen", within: .seconds(60))
                try await broker.kill(node: 0)
                try browser.send("go on")
                try await browser.does("away", within: .seconds(40))
                try await broker.restart(node: 0)
                try browser.send("go on")
                try await browser.does("back", within: .seconds(90))
                all.signal(SIGTERM)
                try browser.send("go on")
                let exit = try await browser.exit(within: .seconds(40))
                #expect(exit.code == 0, "\(browser.report)")
                #expect(try await all.exit(within: .seconds(40)).code == 0, "\(all.report)")
            }
            await broker.stop()
        }
    }
}

extension ChildProcess {
    /// Waits until the browser's program has done a step, or says what went wrong.
    fileprivate func does(_ step: String, within limit: Duration) async throws {
        try await printed(within: limit, "the step '\(step)'") { $0 == step }
    }
}

extension EndToEnd {
    /// The web page of `all`, asked without a browser.
    @Suite struct DashboardTests {
        @Test(.timeLimit(.minutes(1))) func aPortInUseIsFoundBeforeABrokerIsStarted() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let first = try await scene.start("all", "--dashboard", "--speed", "max", on: host)
                let port = try await first.dashboardURL().dropLast().split(separator: ":").last ?? ""
                let (exit, second) = try await scene.run(["all", "--dashboard", "--dashboard-port", "\(port)"])
                #expect(exit.code == 78, "\(second.report)")
                #expect(
                    second.errors.text.contains("cannot serve the dashboard on 127.0.0.1:\(port): the port is in use"))
                #expect(!second.errors.text.contains("private RabbitMQ"))
                try await first.drains()
            }
        }

        @Test(.timeLimit(.minutes(1))) func itIsNotThereUnlessItIsAskedFor() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let (exit, process) = try await scene.run(["all", "--speed", "max", "--max-orders", "5"], on: host)
                #expect(exit.code == 0 && !process.errors.text.contains("dashboard"), "\(process.report)")
            }
        }

        @Test(.timeLimit(.minutes(2))) func viewersHoldUpNeitherWorkNorDrain() async throws {
            try await withScene { scene in
                let host = try await SharedBroker.shared.virtualHost()
                let all = try await scene.start(
                    "all", "--speed", "50", on: host, environment: ["PIPELINE_DASHBOARD": "true"])
                let url = try await all.dashboardURL()
                try await all.log("Payment of order", within: .seconds(60))
                // Those that read nothing, as many as there is room for.
                let program = """
                    import socket, sys, time
                    port = int(sys.argv[1])
                    viewers = []
                    for _ in range(8):
                        viewer = socket.create_connection(("127.0.0.1", port))
                        viewer.sendall(b"GET /events HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
                        assert viewer.recv(15) == b"HTTP/1.1 200 OK", "a viewer is not let in"
                        viewers.append(viewer)
                    print("watching", flush=True)
                    time.sleep(600)
                    """
                let port = url.dropLast().split(separator: ":").last ?? ""
                let viewers = try await scene.start(
                    program: try Program.python(), ["-c", program, "\(port)"], [:], "viewers")
                try await viewers.printed("the viewers") { $0 == "watching" }
                let before = all.errors.lines.count
                try await all.log("shipped", within: .seconds(30), from: before)
                let began = ContinuousClock.now
                try await all.drains()
                #expect(ContinuousClock.now - began < .seconds(10), "\(all.report)")
                await viewers.end()
            }
        }
    }
}
