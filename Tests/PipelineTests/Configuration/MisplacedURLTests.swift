import Testing

@testable import pipeline_run

@Suite struct MisplacedURLTests {
    @Test(
        arguments: [
            ["payment", "amqp://u:hunter2@h/"], ["AMQPS://u:hunter2@h/"], ["all", "--amqp_url", "amqp://u:hunter2@h/"],
            ["all", "--amqp_url=amqp://u:hunter2@h/"], ["all", "--speed=amqp://u:hunter2@h/"],
            ["payment", "--amqp-url", "amqp://h", "amqp://u:hunter2@h/"], ["payment", "--", "amqp://u:hunter2@h/"],
        ])
    func `a URL where none is expected is noticed`(arguments: [String]) {
        #expect(MisplacedURL.isAmong(arguments))
    }

    @Test(
        arguments: [
            [], ["payment", "--amqp-url", "amqp://u:p@h/"], ["payment", "--amqp-url=amqp://u:p@h/?heartbeat=1"],
            ["payment", "--state-dir", "amqp"],
        ])
    func `one where it belongs is let be`(arguments: [String]) {
        #expect(!MisplacedURL.isAmong(arguments))
    }
}
