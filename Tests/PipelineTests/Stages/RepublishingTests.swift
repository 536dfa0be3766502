import ActorBus
import Testing

@testable import Pipeline

/// A message that is published again: into a dead-letter queue, to its end, into a retry queue, back to its main queue.
@Suite struct RepublishingTests {
    private static let death = FieldValue.array([.table(["queue": "q", "reason": "rejected"])])
    private static let message = Message(
        text: "{}",
        properties: MessageProperties(
            headers: [
                "note": "kept", "x-reason": "why", "x-delivery-count": 3, "x-acquired-count": 3, "x-death": death,
                "x-first-death-exchange": "", "x-first-death-queue": "q", "x-first-death-reason": "rejected",
                "x-last-death-exchange": "", "x-last-death-queue": "q", "x-last-death-reason": "rejected",
                "CC": .array(["elsewhere"]), "BCC": "nowhere",
            ], deliveryMode: .transient, priority: 3, replyTo: "amq.rabbitmq.reply-to.x1", expiration: "60000",
            userID: "shop"))
    private static let aside: FieldTable = [
        "x-original-cc": .array(["elsewhere"]), "x-original-bcc": "nowhere", "x-original-user-id": "shop",
        "x-original-reply-to": "amq.rabbitmq.reply-to.x1", "x-original-expiration": "60000",
    ]

    private static func aside(and others: FieldTable) -> FieldTable {
        var table = aside
        for (name, value) in others { table[name] = value }
        return table
    }

    @Test func `what the broker counts, refuses or acts on is taken out, and why it is dead stays`() {
        let copy = Self.message.fitToBeRepublished()
        #expect(copy.body == Self.message.body)
        #expect(copy.properties.userID == nil && copy.properties.replyTo == nil && copy.properties.expiration == nil)
        #expect(copy.properties.deliveryMode == .persistent && copy.properties.priority == 3)
        #expect(
            copy.properties.headers
                == Self.aside(and: [
                    "note": "kept", "x-reason": "why", "x-death": Self.death, "x-first-death-exchange": "",
                    "x-first-death-queue": "q", "x-first-death-reason": "rejected", "x-last-death-exchange": "",
                    "x-last-death-queue": "q", "x-last-death-reason": "rejected",
                ]))
        #expect(copy.fitToBeRepublished() == copy, "a second look changes nothing more")
    }

    @Test func `nothing is taken out of a message that has none of it`() {
        let plain = Message(
            text: "{}",
            properties: MessageProperties(headers: ["note": "kept"], deliveryMode: .persistent, replyTo: "answers"))
        #expect(plain.fitToBeRepublished() == plain && plain.fitToBeMoved() == plain)
    }

    @Test func `a message that is moved on carries nothing of its deaths`() {
        let moved = Self.message.fitToBeMoved()
        #expect(moved.properties.headers == Self.aside(and: ["note": "kept", "x-reason": "why"]))
        let replayed = DeadLetter.replayed(Self.message)
        #expect(replayed.properties.headers == Self.aside(and: ["note": "kept"]))
        #expect(replayed.properties.expiration == nil && replayed.properties.deliveryMode == .persistent)
    }
}
