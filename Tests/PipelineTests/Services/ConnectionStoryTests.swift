import Pipeline
import Testing

@Suite struct ConnectionStoryTests {
    @Test func `says that it waits once it is registered, and once after each recovery`() {
        var story = ConnectionStory(consumes: true)
        #expect(story.note(isReady: false, recoveries: 0, blocked: nil) == [])
        #expect(story.note(isReady: true, recoveries: 0, blocked: nil) == [.waiting])
        #expect(story.note(isReady: true, recoveries: 0, blocked: nil) == [])
        #expect(story.note(isReady: false, recoveries: 0, blocked: nil) == [])
        #expect(story.note(isReady: true, recoveries: 1, blocked: nil) == [.waiting])
        #expect(story.note(isReady: true, recoveries: 3, blocked: nil) == [.waiting], "the loss itself was not seen")
    }

    @Test func `says that it waits again when only its consumer was gone`() {
        var story = ConnectionStory(consumes: true)
        #expect(story.note(isReady: true, recoveries: 0, blocked: nil) == [.waiting])
        #expect(story.note(isReady: false, recoveries: 0, blocked: nil) == [])
        #expect(story.note(isReady: true, recoveries: 0, blocked: nil) == [.waiting])
    }

    @Test func `a publishing connection waits for nothing, and tells of being held back`() {
        var story = ConnectionStory(consumes: false)
        #expect(story.note(isReady: true, recoveries: 0, blocked: nil) == [])
        #expect(
            story.note(isReady: true, recoveries: 0, blocked: "low on memory") == [.blocked(reason: "low on memory")])
        #expect(story.note(isReady: true, recoveries: 0, blocked: "low on memory") == [])
        #expect(story.note(isReady: true, recoveries: 0, blocked: nil) == [.unblocked])
    }
}
