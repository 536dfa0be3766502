/// The process's own metrics, under the names that every Prometheus client uses.
///
/// Read from `/proc/self` at each scrape, and left out where there is no such thing.
package enum ProcessMetrics {
    package static func register(in factory: any CollectingMetricsFactory) {
        factory.collect(MetricCatalogue.residentMemory) { ProcessStatus.read().map { Double($0.residentBytes) } }
        factory.collect(MetricCatalogue.virtualMemory) { ProcessStatus.read().map { Double($0.virtualBytes) } }
        factory.collect(MetricCatalogue.cpuSeconds) { ProcessStatus.read()?.cpuSeconds }
        factory.collect(MetricCatalogue.openFileDescriptors) { ProcessStatus.openFileDescriptors().map { Double($0) } }
        // Not `.map(Double.init)`: for a `UInt64` that is the initializer from a bit pattern.
        factory.collect(MetricCatalogue.maximumFileDescriptors) {
            ProcessStatus.maximumFileDescriptors().map { Double($0) }
        }
        // Fixed for the life of the process, so asked once.
        let start = ProcessStatus.startSeconds()
        factory.collect(MetricCatalogue.startTime) { start }
    }
}
