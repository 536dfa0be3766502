import Pipeline
import Testing

@Suite struct TraceParentTests {
    private static let example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test func `reads and writes the standard's example`() {
        #expect(TraceParent(Self.example)?.text == Self.example)
    }

    @Test func `a child stays in the trace with a span of its own`() throws {
        let parent = try #require(TraceParent(Self.example))
        let child = parent.child()
        #expect(child.text.hasPrefix("00-4bf92f3577b34da6a3ce929d0e0e4736-"))
        #expect(child.text.hasSuffix("-01"))
        #expect(child.text != parent.text)
        #expect(TraceParent(child.text) == child)
    }

    @Test func `a new one is valid and new`() {
        let first = TraceParent()
        #expect(TraceParent(first.text) == first)
        #expect(first != TraceParent())
    }

    @Test func `of a later version the known part is read`() {
        #expect(TraceParent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more")?.text == Self.example)
    }

    @Test(arguments: [
        "", "00", "00---", "hello",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
    ])
    func `refuses what the standard does not allow`(text: String) {
        #expect(TraceParent(text) == nil)
    }
}
