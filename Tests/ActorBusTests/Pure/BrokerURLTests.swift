import Testing

@testable import ActorBus

@Suite struct BrokerURLTests {
    @Test func readsEveryPart() throws {
        let url = try BrokerURL("amqp://us%40er:p%3Aw%2Fd@mq-1:1234,[::1]:99,mq%2D3/my%2Fhost?heartbeat=17")
        #expect(url.endpoints == [.init(host: "mq-1", port: 1234), .init(host: "::1", port: 99), .init(host: "mq-3")])
        #expect(url.user == "us@er")
        #expect(url.password == "p:w/d")
        #expect(url.virtualHost == "my/host")
        #expect(url.heartbeat == .seconds(17))
        #expect(url.tls == nil)
    }

    @Test func whatIsLeftOutStaysOut() throws {
        let url = try BrokerURL("amqp://h")
        #expect(url.user == nil && url.password == nil && url.virtualHost == nil && url.heartbeat == nil)
        #expect(url.endpoints == [.init(host: "h", port: 5672)])
        #expect(try BrokerURL("amqp://h/").virtualHost == nil)
        #expect(try BrokerURL("amqps://h").endpoints == [.init(host: "h", port: 5671)])
        #expect(try BrokerURL("amqp://u@h").password == nil)
        #expect(try BrokerURL("amqp://u:@h").password == "")
        #expect(try BrokerURL("amqp://u:a:b@h").password == "a:b")
    }

    @Test(arguments: [
        "", "amqp", "http://h", "amqp:/h", "AMQP:/h", "amqp://", "amqp://:5672", "amqp://h:", "amqp://h:0",
        "amqp://h:65536",
        "amqp://h:x", "amqp://h:-1", "amqp://h:+5", "amqp://a,,b", "amqp://a,", "amqp://[::1", "amqp://[::1]x",
        "amqp://::1:5",
        "amqp://@h", "amqp://:p@h", "amqp://u@x@h", "amqp://h/a/b", "amqp://h#f", "amqp://%zz@h", "amqp://u:%4@h",
        "amqp://u:%@h",
        "amqp://%ff@h", "amqp://h h", "amqp://h%00", "amqp://h?heartbeat", "amqp://h?heartbeat=", "amqp://h///",
        "amqp://h//a/b", "amqp://h/a//", "amqp://h\n/v", "amqp://h/v\r\nw", "amqp://u:p?q@h", "amqp://h/v@w",
        "amqp://u:5672/secret@h", "amqp://u:5672/@h", "amqp://u:p@h/v@w",
        "amqp://h?connection_timeout=1.5", "amqp://h?connection_timeout", "amqp://h?connection_timeout=4294967296",
        "amqp://h?channel_max=65536", "amqp://h?channel_max=x", "amqp://h?frame_max=4095", "amqp://h?frame_max=-1",
        "amqp://h?heartbeat=-1", "amqp://h?heartbeat=+3", "amqp://h?heartbeat=65536", "amqp://h?heartbeat=1.5",
    ])
    func refusesWhatItCannotRead(text: String) {
        #expect { try BrokerURL(text) } throws: { error in (error as? AMQPError)?.code == .invalidConfiguration }
    }

    @Test(arguments: [("AMQP://u:P@h/V", false), ("AmQp://u:P@h/V", false), ("AMQPS://u:P@h/V", true)])
    func schemesHaveNoCase(text: String, isTLS: Bool) throws {
        let url = try BrokerURL(text)
        #expect((url.tls != nil) == isTLS && url.user == "u" && url.password == "P" && url.virtualHost == "V")
    }

    @Test func anAtSignOfAVirtualHostIsEscaped() throws {
        #expect(try BrokerURL("amqp://u:5672/v%40w").virtualHost == "v@w")
    }

    /// As other clients have it: the first slash is the end of the hosts, and the rest is the name.
    @Test(arguments: [("//", "/"), ("//test", "/test"), ("/%2F", "/"), ("/%2Ftest", "/test"), ("/test", "test")])
    func virtualHostsWithASlash(path: String, virtualHost: String) throws {
        #expect(try BrokerURL("amqp://u:p@h\(path)").virtualHost == virtualHost)
        #expect(try ConnectionConfiguration(url: "amqp://h\(path)?heartbeat=1").virtualHost == virtualHost)
    }

    @Test func understandsTheOfficialParameters() throws {
        let query = "heartbeat=7&connection_timeout=1500&channel_max=64&frame_max=8192&auth_mechanism=plain"
        let url = try BrokerURL("amqp://h?\(query)")
        #expect(url.warnings.isEmpty)
        let configuration = ConnectionConfiguration(url: url)
        #expect(configuration.heartbeat == .seconds(7) && configuration.connectTimeout == .milliseconds(1500))
        #expect(configuration.channelMax == 64 && configuration.frameMax == 8192)
        // No limit is what there is without the parameter.
        let unlimited = try ConnectionConfiguration(url: "amqp://h?channel_max=0&frame_max=0")
        #expect(unlimited.channelMax == 2047 && unlimited.frameMax == 131_072)
        #expect(configuration.loginMechanism == .plain)
        #expect(try BrokerURL("amqp://h?connection_timeout=0").warnings.count == 1)
    }

    @Test func namesWhatItDoesNotKnow() throws {
        let url = try BrokerURL("amqp://u:sesame@h/v?retry=3&Heartbeat=5&=&heartbeat=9&x%41y=sesame")
        #expect(url.heartbeat == .seconds(9) && url.virtualHost == "v")
        #expect(url.warnings.count == 4 && url.warnings[0].contains("'retry'"))
        #expect(!url.warnings.joined().contains("sesame"))
    }

    @Test func understandsTheParametersOfTLS() throws {
        let query = "cacertfile=/ca%20s.pem&certfile=/c.pem&keyfile=/k.pem&password=sesame&server_name_indication=mq"
        let url = try BrokerURL("amqps://h?\(query)&verify=verify_peer")
        var tls = TLSConfiguration(trust: .authorities(file: "/ca s.pem"), serverName: "mq")
        tls.identity = .init(certificateFile: "/c.pem", keyFile: "/k.pem", keyPassword: "sesame")
        #expect(url.tls == tls && url.warnings.isEmpty)
        #expect(ConnectionConfiguration(url: url).tls == tls)
        var shown = ""
        dump(ConnectionConfiguration(url: url), to: &shown)
        dump(tls, to: &shown)
        #expect(!(shown + "\(url) \(tls)").contains("sesame"))
        #expect(try BrokerURL("amqps://h").tls == TLSConfiguration())
        // One file may hold both, as in Erlang.
        let identity = TLSConfiguration.Identity(certificateFile: "/c.pem", keyFile: "/c.pem")
        #expect(try BrokerURL("amqps://h?certfile=/c.pem").tls?.identity == identity)
    }

    @Test func notToVerifyIsWarnedOf() throws {
        let url = try BrokerURL("amqps://h?verify=verify_none")
        #expect(url.tls?.dangerouslyAcceptsAnyCertificate == true && url.warnings.count == 1)
        let last = try BrokerURL("amqps://h?verify=verify_none&verify=verify_peer")
        #expect(last.tls?.dangerouslyAcceptsAnyCertificate == false)
        #expect(try BrokerURL("amqps://h?server_name_indication=disable").tls?.serverName == nil)
        #expect(try BrokerURL("amqps://h?password=sesame").warnings.count == 1)
        for text in ["amqps://h?verify=none", "amqps://h?verify", "amqps://h?keyfile=k"] {
            #expect { try BrokerURL(text) } throws: { ($0 as? AMQPError)?.code == .invalidConfiguration }
        }
    }

    @Test(arguments: ["verify=verify_none", "cacertfile=/ca.pem", "certfile=c", "server_name_indication=h"])
    func parametersOfTLSHaveNoEffectWithoutIt(query: String) throws {
        let url = try BrokerURL("amqp://h?\(query)")
        #expect(url.tls == nil && url.warnings.count == 1)
    }

    @Test func theFirstLoginMechanismThatIsKnownHolds() throws {
        let url = try BrokerURL("amqp://h?auth_mechanism=scram&auth_mechanism=External&auth_mechanism=plain")
        #expect(url.loginMechanism == .external && url.warnings.count == 1)
        #expect(try BrokerURL("amqp://h?auth_mechanism=AMQPLAIN").loginMechanism == .amqplain)
        #expect(try BrokerURL("amqp://h").loginMechanism == nil)
    }

    @Test(arguments: ["\n", "\r\n", "\u{FEFF}", " ", "\r", "\n\n", "\t"])
    func whatStandsAroundItIsNoPart(text: String) throws {
        let url = try BrokerURL("amqp://u:p@h:1/v?heartbeat=3")
        #expect(try BrokerURL("amqp://u:p@h:1/v?heartbeat=3" + text) == url)
        #expect(try BrokerURL(text + "amqp://u:p@h:1/v?heartbeat=3" + text) == url)
    }

    @Test func refusesAHugeText() {
        #expect(throws: AMQPError.self) { try BrokerURL("amqp://" + String(repeating: "h,", count: 20_000)) }
    }

    /// Whatever is wrong with a URL, and wherever the password ended up in it, the words of the error do not show it.
    @Test(arguments: [
        "amqp://user:sesame@h:x", "amqp://user:ses/ame@h", "amqp://user:ses?ame@h", "amqp://user:ses#ame@h",
        "amqp://user:sesame", "amqp://user:ses@ame@h", "amqp://user:ses%ame@h", "amqp://user:%ffsesame@h",
        "http://user:sesame@h", "user:sesame@h", "amqp://user:sesame@h/a/b", "amqp://user:x?sesame@h?sesame=1",
        "amqp://user:[sesame@h:x",
        "amqp://user:sesame@", "amqp://:sesame@h", "amqp://user:ses,ame", "amqp://user:sesame@h?heartbeat=sesame",
        "amqp://ses ame@h:x",
        "amqp://sesame:x", "amqp://user:ses/ame@h:5672/v?heartbeat=3", "amqp://user:5672/sesame@h",
        "amqp://user:5672/ses@ame@h",
        "AMQP://user:5672/sesame@h",
    ])
    func aPasswordIsNeverInTheWords(text: String) throws {
        let error = #expect(throws: AMQPError.self) { try ConnectionConfiguration(url: text) }
        let words = try #require(error).description
        for secret in ["sesame", "ses", "ame@", "'ame"] { #expect(!words.contains(secret), "\(words)") }
    }

    @Test func theConfigurationSaysNoPassword() throws {
        let configuration = try ConnectionConfiguration(url: "amqp://user:sesame@h:1/v")
        #expect(configuration.password == "sesame")
        #expect(!configuration.description.contains("sesame"))
        #expect("\(configuration)".contains("user"))
    }

    @Test func theDefaultsAreRabbitMQs() throws {
        let configuration = try ConnectionConfiguration(url: "amqp://h")
        #expect(configuration.user == "guest" && configuration.password == "guest" && configuration.virtualHost == "/")
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func randomTextIsReadOrRefused(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let alphabet = Array("amqp://user:%2F@[::1]:56,72/v?heartbeat=30&#\u{0}\u{7F}é€😀 ")
        for _ in 0..<2_000 {
            let tail = (0..<Int.random(in: 0..<30, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
            guard let url = try? BrokerURL("amqp://" + String(tail)) else { continue }
            #expect(!url.endpoints.isEmpty)
            #expect(url.endpoints.allSatisfy { !$0.host.isEmpty && $0.port > 0 })
        }
    }
}
