import ActorBus
import ArgumentParser
import Pipeline
import Testing

@testable import pipeline_run

@Suite struct BrokerSettingsTests {
    private static let payment = RunTarget.role(.payment)

    @Test func `is made of the variables`() throws {
        let given = try configure(
            Self.payment, [],
            [
                "RABBITMQ_HOST": "mq-1,mq-2:5673,[::1]:5674", "RABBITMQ_PORT": "5600", "RABBITMQ_USER": "shop",
                "RABBITMQ_PASSWORD": "p@ss", "RABBITMQ_VHOST": "store", "RABBITMQ_HEARTBEAT": "600",
            ])
        let broker = try #require(given.broker)
        #expect(
            broker.endpoints == [
                .init(host: "mq-1", port: 5600), .init(host: "mq-2", port: 5673), .init(host: "::1", port: 5674),
            ])
        #expect(broker.user == "shop" && broker.password == "p@ss" && broker.virtualHost == "store")
        #expect(broker.heartbeat == .seconds(600))
        #expect(given.warnings.isEmpty)
    }

    @Test(arguments: [["RABBITMQ_HOST": "mq"], ["RABBITMQ_PORT": "5673"], ["AMQP_URL": "amqp://mq"]])
    func `a named broker spares 'all' its own`(environment: [String: String]) throws {
        #expect(try configure(.all, [], environment).broker != nil)
    }

    @Test func `a login alone names no broker for 'all', which warns`() throws {
        let given = try configure(.all, [], ["RABBITMQ_USER": "shop", "RABBITMQ_PASSWORD": "secret"])
        #expect(given.broker == nil)
        #expect(given.warnings.count == 2)
        #expect(!given.warnings.joined().contains("secret"))
    }

    @Test func `a URL leaves room for password and heartbeat, and for nothing else`() throws {
        let given = try configure(
            Self.payment, [],
            [
                "AMQP_URL": "amqp://shop@mq/", "RABBITMQ_PASSWORD": "secret", "RABBITMQ_HEARTBEAT": "5",
                "RABBITMQ_HOST": "other", "RABBITMQ_USER": "other", "RABBITMQ_VHOST": "other",
            ])
        let broker = try #require(given.broker)
        #expect(broker.description == "amqp://shop@mq:5672/")
        #expect(broker.password == "secret" && broker.heartbeat == .seconds(5))
        #expect(given.warnings.count == 3)
    }

    @Test func `what the URL states wins, with a warning`() throws {
        let given = try configure(
            Self.payment, [],
            ["AMQP_URL": "amqp://u:stated@mq?heartbeat=9", "RABBITMQ_PASSWORD": "other", "RABBITMQ_HEARTBEAT": "5"])
        let broker = try #require(given.broker)
        #expect(broker.password == "stated" && broker.heartbeat == .seconds(9))
        #expect(given.warnings.count == 2)
        #expect(!given.warnings.joined().contains("stated@") && !given.warnings.joined().contains("other"))
    }

    @Test func `the flag goes before AMQP_URL, and a password in it is warned of`() throws {
        let given = try configure(Self.payment, ["--amqp-url", "amqp://u:hidden@flag/"], ["AMQP_URL": "amqp://env/"])
        #expect(given.broker?.endpoints.first?.host == "flag")
        #expect(given.warnings.count == 1)
        #expect(!given.warnings.joined().contains("hidden"))
        #expect(try configure(Self.payment, ["--amqp-url", "amqp://u@flag/"]).warnings.isEmpty)
    }

    @Test func `a password comes from a file without the line breaks at its end`() throws {
        for (text, password) in [
            ("secret\n", "secret"), ("secret\r\n", "secret"), (" s \n\n", " s "), ("secret", "secret"),
            ("\u{FEFF}secret\r", "secret"),
        ] {
            let given = try configure(
                Self.payment, [], ["RABBITMQ_PASSWORD_FILE": "/run/secret"], files: ["/run/secret": text])
            #expect(given.broker?.password == password)
        }
    }

    @Test func `a password file is read again at each connect`() async throws {
        let text = Lock<String?>("one\n")
        let given = try RunConfiguration(
            Self.payment, try RunOptions.parse([]), environment: ["RABBITMQ_PASSWORD_FILE": "/run/secret"],
            readFile: { _ in
                guard let text = text.withLock({ $0 }) else { throw Unreadable("No such file or directory") }
                return text
            })
        let source = try #require(given.broker?.passwordSource)
        #expect(given.broker?.password == "one")
        text.withLock { $0 = "two\r\n" }
        #expect(try await source() == "two")
        text.withLock { $0 = nil }
        let error = await #expect(throws: ConfigurationError.self) { try await source() }
        #expect(error?.description.contains("/run/secret") == true)
        text.withLock { $0 = "\n" }
        await #expect(throws: ConfigurationError.self) { try await source() }
        // A password that is stated, or in a variable, stays what it is.
        #expect(try configure(Self.payment, [], ["RABBITMQ_PASSWORD": "x"]).broker?.passwordSource == nil)
        let url = ["AMQP_URL": "amqp://u:p@h", "RABBITMQ_PASSWORD_FILE": "/f"]
        #expect(try configure(Self.payment, [], url, files: ["/f": "y"]).broker?.passwordSource == nil)
    }

    @Test(arguments: ["\n", "\r\n", "\r", "\u{FEFF}"])
    func `what a file or shell left at the end of a variable is no part of it`(text: String) throws {
        let given = try configure(
            Self.payment, [],
            [
                "RABBITMQ_HOST": "mq\(text)", "RABBITMQ_PORT": "5600\(text)", "RABBITMQ_USER": "shop\(text)",
                "RABBITMQ_PASSWORD": "secret\(text)", "RABBITMQ_VHOST": "store\(text)",
                "RABBITMQ_HEARTBEAT": "9\(text)",
            ])
        let broker = try #require(given.broker)
        #expect(broker.description == "amqp://shop@mq:5600/store" && broker.password == "secret")
        #expect(broker.heartbeat == .seconds(9))
        #expect(try configure(Self.payment, [], ["AMQP_URL": "amqp://u:p@mq/v\(text)"]).broker?.virtualHost == "v")
    }

    @Test(arguments: [
        "RABBITMQ_HOST", "RABBITMQ_PORT", "RABBITMQ_USER", "RABBITMQ_PASSWORD", "RABBITMQ_VHOST", "RABBITMQ_HEARTBEAT",
        "AMQP_URL",
    ])
    func `a line break inside is named, without what stands around it`(variable: String) {
        let error = refusal(Self.payment, [], [variable: "hun\nter"])
        #expect(error?.kind == .environment)
        #expect(error?.description.hasPrefix("\(variable): ") == true)
        #expect(error?.description.contains("line break") == true)
        #expect(error?.description.contains("hun") == false)
    }

    @Test func `a password that no login can carry is said at once`() {
        let password = String(repeating: "s", count: 4_200)
        for environment in [
            ["RABBITMQ_PASSWORD": password], ["AMQP_URL": "amqp://u:\(password)@h"],
        ] {
            let error = refusal(Self.payment, [], environment)
            #expect(error?.kind == .environment)
            #expect(error?.description.contains("4200 bytes") == true && error?.description.contains("sss") == false)
        }
    }

    @Test func `parameters of a URL are understood, and named when unknown`() throws {
        let given = try configure(
            Self.payment, [], ["AMQP_URL": "amqp://mq//test?connection_timeout=2000&channel_max=9&retry=1"])
        #expect(given.broker?.virtualHost == "/test" && given.broker?.connectTimeout == .seconds(2))
        #expect(given.broker?.channelMax == 9)
        #expect(given.warnings.count == 1 && given.warnings[0].hasPrefix("AMQP_URL: "))
        #expect(given.warnings[0].contains("'retry'"))
        let plain = try configure(Self.payment, [], ["AMQP_URL": "amqp://mq?cacertfile=/x"])
        #expect(plain.broker?.tls == nil && plain.warnings.count == 1)
        let unverified = try configure(Self.payment, ["--amqp-url", "amqps://mq?verify=verify_none"])
        #expect(unverified.broker?.tls?.dangerouslyAcceptsAnyCertificate == true && unverified.warnings.count == 1)
    }

    @Test func `a password file that is missing, empty or one of two is refused`() {
        let missing = refusal(Self.payment, [], ["RABBITMQ_PASSWORD_FILE": "/nowhere"])
        #expect(missing?.kind == .environment && missing?.description.contains("/nowhere") == true)
        let empty = refusal(Self.payment, [], ["RABBITMQ_PASSWORD_FILE": "/f"], files: ["/f": "\n"])
        #expect(empty?.kind == .environment)
        let both = refusal(
            Self.payment, [], ["RABBITMQ_PASSWORD_FILE": "/f", "RABBITMQ_PASSWORD": "x"], files: ["/f": "y"])
        #expect(both?.kind == .environment)
    }

    @Test(arguments: [
        ("RABBITMQ_PORT", "0"), ("RABBITMQ_PORT", "65536"), ("RABBITMQ_PORT", "x"), ("RABBITMQ_PORT", ""),
        ("RABBITMQ_HOST", ""), ("RABBITMQ_HOST", "a,,b"), ("RABBITMQ_HOST", "a:0"), ("RABBITMQ_HOST", "::1"),
        ("RABBITMQ_HEARTBEAT", "-1"), ("RABBITMQ_HEARTBEAT", "65536"), ("RABBITMQ_HEARTBEAT", "1.5"),
        ("RABBITMQ_USER", ""), ("RABBITMQ_VHOST", ""), ("RABBITMQ_USER", String(repeating: "ü", count: 128)),
        ("RABBITMQ_VHOST", String(repeating: "v", count: 256)),
    ])
    func `a variable that cannot be read is refused by its name`(name: String, value: String) {
        let error = refusal(Self.payment, [], [name: value])
        #expect(error?.kind == .environment)
        #expect(error?.description.hasPrefix(name) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("URL") == false, "there is none")
    }

    @Test func `names go as far as AMQP has room`() throws {
        let longest = String(repeating: "n", count: 255)
        let given = try configure(Self.payment, [], ["RABBITMQ_USER": longest, "RABBITMQ_VHOST": longest])
        #expect(given.broker?.user == longest && given.broker?.virtualHost == longest)
        for url in ["amqp://\(longest)n:hunter2@h/", "amqp://h/\(longest)n"] {
            #expect(refusal(Self.payment, [], ["AMQP_URL": url])?.description.hasPrefix("AMQP_URL: its") == true)
            #expect(refusal(Self.payment, ["--amqp-url", url])?.kind == .usage)
        }
    }

    @Test func `Kubernetes' RABBITMQ_PORT gets the remedy`() {
        let error = refusal(Self.payment, [], ["RABBITMQ_PORT": "tcp://10.43.0.7:5672"])
        #expect(error?.kind == .environment)
        #expect(error?.description.contains("enableServiceLinks: false") == true)
    }

    @Test(
        arguments: [
            (["--amqp-url", "amqp://u:hunter2@h:x/"], [:]), ([], ["AMQP_URL": "http://u:hunter2@h/"]),
            ([], ["AMQP_URL": "amqp://u:hunter2@h/a/b"]), ([], ["RABBITMQ_HOST": "amqp://u:hunter2@h/"]),
            ([], ["RABBITMQ_HOST": "u:hunter2@h"]), ([], ["AMQP_URL": "amqps://u:hunter2@h?auth_mechanism=external"]),
        ] as [([String], [String: String])])
    func `no error repeats a password`(arguments: [String], environment: [String: String]) {
        #expect(refusal(Self.payment, arguments, environment)?.description.contains("hunter2") == false)
    }
}
