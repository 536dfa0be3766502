import ActorBus
import Pipeline
import Testing

@testable import pipeline_run

@Suite struct TLSSettingsTests {
    private static let payment = RunTarget.role(.payment)
    private static let secure = ["--amqp-url", "amqps://mq"]

    @Test func `without more, the system's trust and the host's name hold`() throws {
        let broker = try #require(try configure(Self.payment, Self.secure).broker)
        #expect(broker.tls == TLSConfiguration() && broker.loginMechanism == .plain)
        #expect(broker.endpoints == [.init(host: "mq", port: 5671)])
        #expect(try configure(Self.payment, []).broker?.tls == nil)
    }

    @Test func `flags and variables name files, the server and the login`() throws {
        var expected = TLSConfiguration(trust: .authorities(file: "/ca"), serverName: "mq.example")
        expected.identity = .init(certificateFile: "/c", keyFile: "/k")
        let flags = [
            "--tls-ca-file", "/ca", "--tls-certificate-file", "/c", "--tls-key-file", "/k", "--tls-server-name",
            "mq.example", "--auth", "external",
        ]
        let variables = [
            "AMQP_URL": "amqps://mq", "PIPELINE_TLS_CA_FILE": "/ca", "PIPELINE_TLS_CERTIFICATE_FILE": "/c",
            "PIPELINE_TLS_KEY_FILE": "/k", "PIPELINE_TLS_SERVER_NAME": "mq.example", "PIPELINE_AUTH": "external",
        ]
        for (arguments, environment) in [(Self.secure + flags, [:]), ([], variables)] {
            let given = try configure(Self.payment, arguments, environment)
            #expect(given.broker?.tls == expected && given.broker?.loginMechanism == .external)
            #expect(given.warnings.isEmpty)
        }
    }

    @Test func `a key may stand in the certificate's file`() throws {
        let broker = try configure(Self.payment, Self.secure + ["--tls-certificate-file", "/c"]).broker
        #expect(broker?.tls?.identity == .init(certificateFile: "/c", keyFile: "/c"))
        let error = refusal(Self.payment, Self.secure + ["--tls-key-file", "/k"])
        #expect(error?.kind == .usage && error?.description.contains("--tls-certificate-file") == true)
    }

    @Test func `what the URL states stays, with a warning`() throws {
        let url = "amqps://mq?cacertfile=/a&certfile=/b&server_name_indication=c&auth_mechanism=plain"
        let given = try configure(
            Self.payment,
            [
                "--amqp-url", url, "--tls-ca-file", "/x", "--tls-certificate-file", "/x", "--tls-server-name", "x",
                "--auth", "external",
            ])
        #expect(given.broker?.tls == (try BrokerURL(url)).tls && given.broker?.loginMechanism == .plain)
        #expect(given.warnings.count == 4)
    }

    /// Who names a certificate expects a connection that nobody can read.
    @Test(arguments: [
        ("--tls-ca-file", "PIPELINE_TLS_CA_FILE"), ("--tls-certificate-file", "PIPELINE_TLS_CERTIFICATE_FILE"),
        ("--tls-key-file", "PIPELINE_TLS_KEY_FILE"), ("--tls-server-name", "PIPELINE_TLS_SERVER_NAME"),
    ])
    func `without TLS they are refused`(flag: String, variable: String) {
        for broker in [["AMQP_URL": "amqp://mq"], ["RABBITMQ_HOST": "mq"], [:]] {
            for target in [Self.payment, .all] {
                let usage = refusal(target, [flag, "x"], broker)
                #expect(usage?.kind == .usage && usage?.description.contains("amqps://") == true)
                #expect(refusal(target, [], broker.merging([variable: "x"]) { $1 })?.kind == .environment)
            }
        }
    }

    @Test(arguments: [["--amqp-url", "amqp://mq"], ["--amqp-url", "amqps://mq"], []])
    func `external needs a client certificate`(broker: [String]) {
        let error = refusal(Self.payment, broker + ["--auth", "external"])
        #expect(error?.kind == .usage && error?.description.contains("client certificate") == true)
    }

    @Test func `external in a URL is judged as the URL is`() {
        let url = "amqps://mq?auth_mechanism=external"
        #expect(
            refusal(Self.payment, ["--amqp-url", url, "--auth", "plain"])?.description.hasPrefix("--amqp-url") == true)
        #expect(refusal(Self.payment, ["--amqp-url", url])?.kind == .usage)
        #expect(refusal(Self.payment, [], ["AMQP_URL": url])?.kind == .environment)
    }

    @Test func `the login is never sent to the management API in clear text`() throws {
        for (url, mayAsk) in [("amqp://mq", true), ("amqps://mq", false)] {
            let broker = try #require(try configure(Self.payment, ["--amqp-url", url]).broker)
            let limits = DeliveryLimits(broker: broker, topology: Topology(), queueType: .classic)
            #expect(limits.mayAskManagement == mayAsk)
        }
    }

    @Test func `a login that is not known is refused`() {
        #expect(refusal(Self.payment, ["--auth", "kerberos"])?.kind == .usage)
        #expect(refusal(Self.payment, [], ["PIPELINE_AUTH": ""])?.kind == .environment)
    }
}
