import Testing

@testable import ActorBus

@Suite struct MessagePropertiesTests {
    @Test func aCopyIsOfItsOwn() {
        let first = MessageProperties(contentType: "text/plain", messageID: "1")
        var second = first
        second.messageID = "2"
        #expect(first.messageID == "1" && second.messageID == "2")
        #expect(first != second)
        second.messageID = "1"
        #expect(first == second)
    }

    @Test func theDescriptionShowsWhatIsSet() {
        let properties = MessageProperties(contentType: "text/plain", headers: ["b": 1, "a": "x"], timestamp: 7)
        #expect(
            "\(properties)"
                == "MessageProperties(contentType: text/plain, headers: a b, deliveryMode: persistent, timestamp: 7)")
    }
}
