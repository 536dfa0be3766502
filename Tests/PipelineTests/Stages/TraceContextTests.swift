import ActorBus
import Testing

@testable import Pipeline

@Suite struct TraceContextTests {
    private static let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    // MARK: tracestate

    @Test(
        arguments: [
            ("rojo=00f067aa0ba902b7", "rojo=00f067aa0ba902b7"), ("rojo=1 , congo=t61", "rojo=1,congo=t61"),
            ("\trojo=1,,  ,congo=2,", "rojo=1,congo=2"), ("fw529a3039@dt=FfC3", "fw529a3039@dt=FfC3"),
            ("1a@b=2", "1a@b=2"), ("a_-*/9= spaced out!~", "a_-*/9= spaced out!~"),
        ])
    func `a state is kept as it came, without the space around its entries`(text: String, kept: String) {
        #expect(TraceState(text)?.text == kept)
    }

    @Test(
        arguments: [
            "", " ", ",", "a", "=1", "a=", "a= ", "A=1", "1a=2", "é=1", "a=é", "a=1=2", "a=\u{1}", "a=1\nb=2",
            "a=1,a=2", "@b=1",
            "a@=1", "a@1b=1", "a@b@c=1", "a@abcdefghijklmno=1", "a b=1", "a=1,B=2",
        ])
    func `a state that the standard does not allow is none`(text: String) {
        #expect(TraceState(text) == nil)
    }

    @Test func `a state is bounded as the standard has it`() throws {
        let most = (1...32).map { "k\($0)=v" }
        #expect(TraceState(most.joined(separator: ","))?.text == most.joined(separator: ","))
        #expect(TraceState((most + ["k33=v"]).joined(separator: ",")) == nil)
        #expect(TraceState("a=" + String(repeating: "v", count: 256)) != nil)
        #expect(TraceState("a=" + String(repeating: "v", count: 257)) == nil)
        #expect(TraceState(String(repeating: "a", count: 256) + "=v") != nil)
        #expect(TraceState(String(repeating: "a", count: 257) + "=v") == nil)
        // Of more than 512 bytes the long entries go first, then the last ones.
        let long = "long=" + String(repeating: "v", count: 200)
        let short = (1...10).map { "short\($0)=" + String(repeating: "v", count: 40) }
        let text = try #require(TraceState(([long] + short).joined(separator: ","))?.text)
        #expect(text == short.joined(separator: ",") && text.utf8.count <= 512)
        let even = (1...32).map { "key\($0)=" + String(repeating: "v", count: 20) }
        let cut = try #require(TraceState(even.joined(separator: ","))?.text)
        #expect(cut.utf8.count <= 512 && cut.hasPrefix(even[0]) && even.joined(separator: ",").hasPrefix(cut))
    }

    // MARK: baggage

    @Test(
        arguments: [
            ("userId=alice", "userId=alice"), ("a = 1 ; p = x ;q , b=%20%C3%A9", "a = 1 ; p = x ;q,b=%20%C3%A9"),
            ("a=", "a="), ("a=1=2", "a=1=2"), ("a=1,a=2", "a=1,a=2"), ("!#$%&'*+-.^_`|~=x", "!#$%&'*+-.^_`|~=x"),
        ])
    func `baggage is kept as it came, without the space around its members`(text: String, kept: String) {
        #expect(Baggage(text)?.text == kept)
    }

    @Test(
        arguments: [
            "", " ", ",", "a", "=1", "a b=1", "é=1", "a=é", "a=\"1\"", "a=1 2", "a=\\", "a=1,", "a=1,,b=2", "a=1;",
            "a=1;=x",
            "a=1\r\nb=2", "a=\u{7F}", "(a)=1",
        ])
    func `baggage that the standard does not allow is none`(text: String) {
        #expect(Baggage(text) == nil)
    }

    @Test func `baggage is bounded as the standard has it`() {
        let most = (1...64).map { "k\($0)=v" }
        #expect(Baggage(most.joined(separator: ","))?.text == most.joined(separator: ","))
        #expect(Baggage((most + ["k65=v"]).joined(separator: ","))?.text == most.joined(separator: ","))
        let longest = "a=" + String(repeating: "v", count: 8190)
        #expect(Baggage(longest)?.text == longest)
        #expect(Baggage(longest + "v") == nil)
        #expect(Baggage("b=1," + longest)?.text == "b=1")
    }

    // MARK: Headers

    @Test func `what belongs to a trace goes along with it, in a span of its own`() throws {
        let context = TraceContext(
            headers: ["traceparent": .string(Self.parent), "tracestate": "rojo=1", "baggage": "userId=alice"])
        let headers = context.nextHeaders
        #expect(headers["traceparent"]?.text?.hasPrefix(Self.parent.prefix(36)) == true)
        #expect(headers["traceparent"]?.text != Self.parent)
        #expect(headers["tracestate"] == "rojo=1" && headers["baggage"] == "userId=alice" && headers.count == 3)
        #expect(TraceContext(headers: headers).state == context.state)
    }

    @Test(arguments: [FieldValue.void, .string("none"), .int64(1)])
    func `a state without its trace is dropped, baggage is not`(parent: FieldValue) {
        let headers = TraceContext(
            headers: ["traceparent": parent, "tracestate": "rojo=1", "baggage": "userId=alice"]
        ).nextHeaders
        #expect(headers["tracestate"] == nil && headers["baggage"] == "userId=alice" && headers.count == 2)
    }

    @Test func `what is no header of a trace is dropped`() {
        let headers = TraceContext(
            headers: ["traceparent": .string(Self.parent), "tracestate": .bytes([0xFF]), "baggage": .table([:])]
        ).nextHeaders
        #expect(Array(headers.keys) == ["traceparent"])
    }
}
