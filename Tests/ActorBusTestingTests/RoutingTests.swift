import ActorBus
import Testing

@testable import ActorBusTesting

@Suite struct RoutingTests {
    @Test(arguments: [
        ("a.b", "a.b", true), ("a.*", "a.b", true), ("a.*", "a", false), ("a.*", "a.b.c", false), ("#", "", true),
        ("#", "a.b", true), ("a.#", "a", true), ("a.#.c", "a.c", true), ("a.#.c", "a.b.b.c", true),
        ("a.#.c", "a.b", false), ("", "", true), ("*", "", false), ("*.#.*", "a", false), ("*.#.*", "a.b", true),
        ("#.#", "a", true), ("a..b", "a..b", true), ("a.*.b", "a..b", true),
    ])
    func topics(pattern: String, key: String, isMatch: Bool) {
        #expect(ExchangeModel.topic(pattern, matches: key) == isMatch)
    }

    @Test(
        arguments: [
            ("all", ["k": "v"], false), ("all", ["k": "v", "n": 1], true), ("any", ["k": "v"], true),
            ("any", ["k": "w"], false), ("all", ["k": "v", "n": .int32(1), "more": true], true),
        ] as [(String, FieldTable, Bool)])
    func headers(mode: String, of message: FieldTable, isMatch: Bool) {
        let wanted: FieldTable = ["x-match": .string(mode), "k": "v", "n": 1]
        #expect(ExchangeModel.headers(wanted, match: message) == isMatch)
    }
}
