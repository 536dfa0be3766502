package import ActorBus

extension BodySpool {
    /// A body over 1 MiB is no message of the pipeline, and goes as it came, by way of a file, to the dead-letter queue and
    /// from there.
    package static let ofThePipeline = BodySpool(threshold: MessageFields.maximumBytes)
}
