import ActorBus
import Logging
import Pipeline
import Testing

@testable import pipeline_run

@Suite struct RunConfigurationTests {
    private static let payment = RunTarget.role(.payment)

    @Test func `the defaults are those that the README lists`() throws {
        let all = try configure(.all)
        #expect(all.broker == nil, "a private one")
        #expect(all.plan.batch == .standard && all.plan.pace == Pace(.generatorInterval, speed: .real))
        #expect(all.plan.seed == nil && all.plan.maximum == nil)
        #expect(all.paymentPace == Pace(.paymentTime, speed: .real))
        #expect(all.fulfillmentPace == Pace(.fulfillmentTime, speed: .real))
        #expect(all.intake == Intake(prefetch: 1, concurrency: 1) && all.drainTimeout == .seconds(25))
        #expect(all.connectAttempts == 10 && all.connectDelay == .seconds(5) && all.queueType == .classic)
        #expect(ServiceKind.allCases.map { all.metricsPort(of: $0) } == [8000, 8001, 8002, 8003])
        #expect(ServiceKind.allCases.map { all.replicas(of: $0) } == [1, 2, 1, 1])
        #expect(all.metricsAddress == "localhost" && all.logFormat == .auto && all.logLevel == .info)
        #expect(all.stateDirectory == nil && all.warnings.isEmpty)

        for kind in ServiceKind.allCases {
            let role = try configure(.role(kind))
            #expect(role.metricsPort(of: kind) == 8000 + kind.portOffset)
            #expect(role.metricsAddress == "*")
            #expect(role.replicas(of: kind) == 1)
            let broker = try #require(role.broker)
            #expect(broker.description == "amqp://guest@localhost:5672/" && broker.password == "guest")
            #expect(broker.heartbeat == .seconds(30))
        }
    }

    @Test func `a flag goes before the environment, the environment before the default`() throws {
        let environment = ["PIPELINE_CONNECT_ATTEMPTS": "3", "PIPELINE_QUEUE_TYPE": "quorum"]
        let given = try configure(Self.payment, ["--connect-attempts", "4"], environment)
        #expect(given.connectAttempts == 4 && given.queueType == .quorum)
        #expect(try configure(Self.payment, [], environment).connectAttempts == 3)
    }

    @Test func `a flag that can be read saves from a variable that cannot`() throws {
        #expect(
            try configure(Self.payment, ["--speed", "2"], ["PIPELINE_SPEED": "fast"]).plan.pace.speed == Speed("2"))
    }

    @Test func `every flag is read`() throws {
        let given = try configure(
            .all,
            [
                "--amqp-url", "amqp://u@a,b:1/v?heartbeat=7", "--queue-type", "quorum", "--connect-attempts", "2",
                "--connect-delay", "0.5", "--speed", "max", "--seed", "18446744073709551615", "--max-orders", "9",
                "--batch", "2-3", "--interval", "1-2", "--payment-time", "0.1", "--fulfillment-time", "0-0.2",
                "--success-rate", "0", "--replicas", "payment=3,fulfillment=4", "--concurrency", "5", "--prefetch", "6",
                "--drain-timeout", "1.5", "--state-dir", "/s", "--metrics-base-port", "0", "--metrics-address", "::1",
                "--log-format", "json", "--log-level", "debug", "--dashboard", "--dashboard-port", "9004",
                "--gateway-outage", "10-70", "--gateway-failure-rate", "0.1", "--gateway-late-rate", "0.2",
                "--gateway-timeout", "3",
            ])
        let broker = given.connection(to: try #require(given.broker))
        #expect(broker.endpoints == [.init(host: "a", port: 5672), .init(host: "b", port: 1)])
        #expect(broker.user == "u" && broker.virtualHost == "v" && broker.heartbeat == .seconds(7))
        #expect(broker.connectAttempts == 2 && broker.connectDelay == .milliseconds(500))
        #expect(given.queueType == .quorum)
        #expect(given.plan.seed == .max && given.plan.maximum == 9 && given.plan.batch.range == 2...3)
        #expect(given.plan.pace == Pace(try SecondsRange("1-2"), speed: .max))
        #expect(given.paymentPace == Pace(try SecondsRange("0.1"), speed: .max))
        #expect(given.fulfillmentPace == Pace(try SecondsRange("0-0.2"), speed: .max))
        #expect(ServiceKind.allCases.map { given.replicas(of: $0) } == [1, 3, 4, 1])
        #expect(given.intake == Intake(prefetch: 6, concurrency: 5) && given.drainTimeout == .milliseconds(1500))
        #expect(given.stateDirectory == "/s" && given.metricsPort(of: .notification) == 0)
        #expect(given.metricsAddress == "::1" && given.logFormat == .json && given.logLevel == .debug)
        #expect(given.dashboardPort == 9004)
        #expect(
            given.gatewayFaults
                == GatewayFaults(
                    outage: try SecondsRange("10-70"), failureRate: try Share("0.1"), lateRate: try Share("0.2"),
                    timeout: .seconds(3)))
    }

    /// What each setting refuses, by its flag.
    private static let unreadable: [(flag: String, value: String)] = [
        ("--gateway-outage", "70-10"), ("--gateway-failure-rate", "2"), ("--gateway-late-rate", "-1"),
        ("--gateway-timeout", "601"), ("--success-rate", "1.1"), ("--success-rate", "nan"), ("--success-rate", ""),
        ("--batch", "0"),
        ("--batch", "5-1"),
        ("--interval", "-1"), ("--interval", "x"), ("--payment-time", "2-1"), ("--fulfillment-time", "1e3"),
        ("--speed", "0"), ("--speed", "inf"), ("--seed", "18446744073709551616"), ("--seed", "1.0"),
        ("--max-orders", "0"), ("--max-orders", "-"), ("--replicas", "payment"), ("--replicas", "payment=0"),
        ("--replicas", "payment=65"), ("--replicas", "generator=2"), ("--replicas", "payment=1,payment=2"),
        ("--replicas", "shop=1"), ("--concurrency", "0"), ("--concurrency", "10001"), ("--prefetch", "0"),
        ("--prefetch", "65536"), ("--queue-type", "stream"), ("--connect-attempts", "0"), ("--connect-delay", "3601"),
        ("--connect-delay", "1.0001"), ("--drain-timeout", "-1"), ("--drain-timeout", "99999999999999999999"),
        ("--drain-timeout", "."), ("--metrics-port", "65536"), ("--metrics-base-port", "65533"),
        ("--dashboard-port", "65536"), ("--dashboard-port", "x"),
        ("--log-format", "xml"),
        ("--log-level", "loud"), ("--state-dir", ""), ("--state-dir", "--seed=7"), ("--metrics-address", ""),
        ("--amqp-url", ""),
        ("--amqp-url", "http://x"),
    ]

    @Test(arguments: unreadable)
    func `an unreadable flag is a usage error that names the flag`(flag: String, value: String) {
        let error = refusal(.all, [flag, value])
        #expect(error?.kind == .usage)
        #expect(error?.description.hasPrefix(flag) == true, "\(error?.description ?? "")")
    }

    @Test(arguments: unreadable)
    func `an unreadable variable is a configuration error that names the variable`(flag: String, value: String) {
        let name =
            flag == "--amqp-url" ? "AMQP_URL" : "PIPELINE_" + flag.dropFirst(2).uppercased().replacing("-", with: "_")
        let error = refusal(.all, [], [name: value])
        #expect(error?.kind == .environment)
        #expect(error?.description.hasPrefix(name) == true, "\(error?.description ?? "")")
    }

    @Test func `the dashboard is off unless it is asked for, and comes after the metrics ports`() throws {
        #expect(try configure(.all).dashboardPort == nil)
        #expect(try configure(.all, ["--dashboard"]).dashboardPort == 8004)
        #expect(try configure(.all, ["--dashboard", "--metrics-base-port", "9000"]).dashboardPort == 9004)
        #expect(try configure(.all, ["--dashboard", "--metrics-base-port", "0"]).dashboardPort == 0)
        #expect(try configure(.all, ["--dashboard", "--dashboard-port", "80"]).dashboardPort == 80)
        #expect(try configure(.all, ["--dashboard"], ["PIPELINE_DASHBOARD_PORT": "81"]).dashboardPort == 81)
        #expect(try configure(.all, [], ["PIPELINE_DASHBOARD": "true"]).dashboardPort == 8004)
        #expect(try configure(.all, [], ["PIPELINE_DASHBOARD": "false"]).dashboardPort == nil)
        #expect(try configure(.all, [], ["PIPELINE_DASHBOARD_PORT": "81"]).dashboardPort == nil)
        for text in ["yes", "", "1", "TRUE"] {
            let error = refusal(.all, [], ["PIPELINE_DASHBOARD": text])
            #expect(error?.kind == .environment && error?.description.hasPrefix("PIPELINE_DASHBOARD:") == true)
        }
        #expect(refusal(.all, ["--dashboard-port", "81"])?.kind == .usage)
        let last = ["--dashboard", "--metrics-base-port", "65532"]
        #expect(refusal(.all, last)?.description.contains("--dashboard-port") == true)
        #expect(try configure(.all, last + ["--dashboard-port", "9"]).dashboardPort == 9)
    }

    @Test func `concurrency raises the prefetch, which must not stay below it`() throws {
        let given = try configure(Self.payment, ["--concurrency", "10"])
        #expect(given.intake.prefetch == 10 && given.intake.concurrency == 10)
        #expect(try configure(Self.payment, ["--prefetch", "10"]).intake.concurrency == 1)
        #expect(refusal(Self.payment, ["--concurrency", "10", "--prefetch", "5"])?.kind == .usage)
        #expect(refusal(Self.payment, ["--concurrency", "10"], ["PIPELINE_PREFETCH": "5"])?.kind == .usage)
        let variables = ["PIPELINE_CONCURRENCY": "10", "PIPELINE_PREFETCH": "5"]
        let error = refusal(Self.payment, [], variables)
        #expect(error?.kind == .environment)
        for name in variables.keys { #expect(error?.description.contains(name) == true) }
    }

    @Test func `what belongs to another command is refused as a flag and let be as a variable`() throws {
        #expect(refusal(Self.payment, ["--metrics-base-port", "9000"])?.kind == .usage)
        #expect(refusal(.all, ["--metrics-port", "9000"])?.kind == .usage)
        #expect(refusal(Self.payment, ["--max-orders", "3"])?.kind == .usage)
        #expect(refusal(Self.payment, ["--replicas", "fulfillment=2"])?.kind == .usage)
        #expect(refusal(Self.payment, ["--dashboard"])?.kind == .usage)
        #expect(refusal(Self.payment, ["--dashboard-port", "9"])?.description.contains("--dashboard-port") == true)
        let fleet = [
            "PIPELINE_METRICS_BASE_PORT": "9000", "PIPELINE_MAX_ORDERS": "3", "PIPELINE_REPLICAS": "fulfillment=2",
            "PIPELINE_DASHBOARD": "true", "PIPELINE_DASHBOARD_PORT": "9004",
        ]
        let given = try configure(Self.payment, [], fleet)
        #expect(given.metricsPort(of: .payment) == 8001 && given.replicas(of: .payment) == 1)
        #expect(given.dashboardPort == nil)
        #expect(try configure(.role(.generator), ["--max-orders", "3"]).plan.maximum == 3)
        #expect(try configure(Self.payment, ["--replicas", "payment=2"]).replicas(of: .payment) == 2)
    }

    @Test func `work that RabbitMQ would take away is refused`() throws {
        #expect(refusal(Self.payment, ["--payment-time", "2000"])?.kind == .usage)
        #expect(refusal(Self.payment, [], ["PIPELINE_FULFILLMENT_TIME": "2000"])?.kind == .environment)
        #expect(try configure(Self.payment, ["--payment-time", "2000", "--speed", "10"]).broker != nil)
    }

    @Test func `what is not yet available says so`() {
        for (arguments, environment) in [
            (["--event-log", "f"], [:]), ([], ["PIPELINE_EVENT_LOG": "f"]),
        ] as [([String], [String: String])] {
            let error = refusal(Self.payment, arguments, environment)
            #expect(error?.kind == .environment)
            #expect(error?.description.contains("not yet available") == true)
            if environment["PIPELINE_EVENT_LOG"] != nil {
                #expect(error?.description.hasPrefix("PIPELINE_EVENT_LOG") == true, "the variable is named")
            }
        }
    }

    @Test func `a misspelt variable is warned of`() throws {
        let given = try configure(
            Self.payment, [], ["PIPELINE_SUCESS_RATE": "1", "PIPELINE_REVISION": "abc", "HOME": "/"])
        #expect(given.warnings.count == 1)
        #expect(given.warnings.first?.contains("PIPELINE_SUCESS_RATE") == true)
    }

    @Test func `a variable of Kubernetes' making gets the remedy`() {
        let error = refusal(Self.payment, [], ["PIPELINE_METRICS_PORT": "tcp://10.0.0.1:8001"])
        #expect(error?.description.contains("enableServiceLinks") == true)
    }
}
