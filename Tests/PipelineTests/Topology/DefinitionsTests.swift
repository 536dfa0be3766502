import ActorBus
import Foundation
import Pipeline
import Testing

@Suite struct DefinitionsTests {
    @Test func `hold everything, with the virtual host and the arguments`() throws {
        let text = PipelineTopology.all(.quorum).definitions(virtualHost: "a \"b\"")
        let json = try #require(
            try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: [[String: Any]]])
        #expect(Set(json.keys) == ["exchanges", "queues", "bindings"])
        #expect(
            json["exchanges"]?.map { $0["name"] as? String } == ["orders", "payments", "shipments"])
        #expect(json["exchanges"]?.allSatisfy { $0["type"] as? String == "fanout" } == true)
        #expect(json["queues"]?.count == 35)
        let main = try #require(json["queues"]?.first { $0["name"] as? String == "payment_processor_queue" })
        #expect(
            main["arguments"] as? [String: String] == [
                "x-queue-type": "quorum", "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": "payment_processor_queue.dlq",
                "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
            ])
        let retry = try #require(json["queues"]?.first { $0["name"] as? String == "payment_processor_queue.retry.30" })
        #expect((retry["arguments"] as? [String: Any])?["x-message-ttl"] as? Int == 30_000)
        #expect(json["bindings"]?.count == 5)
        #expect(json["bindings"]?.first?["destination"] as? String == "payment_processor_queue")
        #expect(json["bindings"]?.first?["source"] as? String == "orders")
        for part in json.values { #expect(part.allSatisfy { $0["vhost"] as? String == "a \"b\"" }) }
        #expect(!text.contains("\n"))
    }

    @Test func `a table keeps every kind of value that JSON can say`() {
        var json = JSONWriter(capacity: 0)
        json.table([
            "a": true, "b": .int8(-1), "c": .double(1.5), "d": .double(.nan), "e": "x\"",
            "f": .bytes([0, 255]),
            "g": .array([1, "y"]), "h": .table(["i": .void]), "j": .timestamp(.max),
            "k": .decimal(scale: 2, value: 150),
            "l\n": .uint32(.max),
        ])
        #expect(
            String(decoding: json.bytes, as: UTF8.self)
                == #"{"a":true,"b":-1,"c":1.5,"d":null,"e":"x\"","f":"00ff","g":[1,"y"],"h":{"i":null},"#
                + #""j":18446744073709551615,"k":1.5,"l\n":4294967295}"#)
    }
}
