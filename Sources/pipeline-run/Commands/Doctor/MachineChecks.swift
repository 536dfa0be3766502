import Pipeline

/// What a run needs of the machine.
enum MachineChecks {
    private static let askedWithin = Duration.seconds(2)
    private static let littleRoom: UInt64 = 64 << 20

    /// Each port: free, or held by a service of ours.
    static func ports(_ configuration: RunConfiguration) async -> [Finding] {
        await metricsPorts(configuration) + dashboardPort(configuration)
    }

    private static func dashboardPort(_ configuration: RunConfiguration) -> [Finding] {
        guard let port = configuration.dashboardPort, port > 0 else { return [] }
        do {
            try Dashboard.checkFree(port: port)
            return [.good("ports", "\(port) is free for the dashboard")]
        } catch {
            return [.bad("ports", error)]
        }
    }

    private static func metricsPorts(_ configuration: RunConfiguration) async -> [Finding] {
        var findings: [Finding] = []
        for kind in configuration.target.services {
            let port = configuration.metricsPort(of: kind)
            guard port > 0 else { return [.good("ports", "any free ones are taken")] }
            do {
                try AdminServer.checkFree(address: configuration.metricsAddress, port: port)
                findings.append(.good("ports", "\(port) is free for \(kind.rawValue)"))
            } catch  where error.code == .portInUse {
                let get = ServiceAddresses.reachable(configuration.metricsAddress, port: port).get("/metrics")
                let page = try? await get.response(within: askedWithin)
                if page?.text.contains("pipeline_build_info") == true {
                    findings.append(
                        .warning(
                            "ports", "\(port) is held by a running service of this pipeline",
                            remedy: "another run on this machine needs other ports, see --metrics-base-port"))
                } else {
                    findings.append(.bad("ports", error))
                }
            } catch {
                findings.append(.bad("ports", error))
            }
        }
        return findings
    }

    /// Whether the time can be right. Messages carry it, and so do ages and latencies.
    ///
    /// - Parameter newestFile: when the state was last written; nil where there is none.
    static func clock(at now: Timestamp, newestFile: Timestamp?) -> Finding {
        let remedy = "set the clock, or let NTP do so (`timedatectl set-ntp true`)"
        guard now >= earliestNow, now < latestNow else {
            return .bad("clock", "it says \(now.text), which cannot be", remedy: remedy, status: ExitStatus.failure)
        }
        if let newestFile, newestFile.milliseconds > now.milliseconds + 60_000 {
            return .bad(
                "clock", "it says \(now.text), and the state was written at \(newestFile.text): it has gone back",
                remedy: remedy, status: ExitStatus.failure)
        }
        return .good("clock", "it says \(now.text)")
    }

    /// This version is of 2026, so no clock that is right is behind that.
    private static let earliestNow = Timestamp(clampingSeconds: 1_767_225_600)
    /// The year 2100: a battery that ran out more often gives a year past it than a machine lives so long.
    private static let latestNow = Timestamp(clampingSeconds: 4_102_444_800)

    static func newestFile(_ configuration: RunConfiguration) -> Timestamp? {
        (try? configuration.stateFolder())?.lastWritten
    }

    private static let name = "state folder"

    /// Whether a generator can go on with the outbox that is there.
    private static func outbox(in folder: StateDirectory) -> [Finding] {
        do {
            return try OrderOutboxDatabase.examine(in: folder) ? [.good(name, "the order outbox in it is whole")] : []
        } catch {
            return [.bad(name, error)]
        }
    }

    static func room(_ condition: StateDirectory.Condition) -> Finding {
        switch condition.freeBytes {
        case nil: .skipped(name, "the system does not say how much room its disk has")
        case 0?:
            .bad(
                name, "no room is left on its disk", remedy: "free some: no order can be written down",
                status: ExitStatus.failure)
        case let free? where free < littleRoom:
            .warning(name, "only \(free >> 20) MiB are free on its disk", remedy: "free some, before orders stop")
        case let free?: .good(name, "\(free >> 20) MiB are free on its disk")
        }
    }

    static func volume(_ condition: StateDirectory.Condition) -> [Finding] {
        guard let kind = condition.networkVolume else { return [] }
        return [
            .warning(
                name, "it is on a network volume (\(kind)), where SQLite's locks and writes are not to be relied on",
                remedy: "keep it on a disk of the machine, or on a volume that one machine mounts as a block device")
        ]
    }

    /// Whether the state can be kept. Makes nothing.
    static func stateFolder(_ configuration: RunConfiguration) -> [Finding] {
        guard configuration.target.services.contains(.generator) else {
            return [.good(name, "'\(configuration.target.commandName)' keeps no state")]
        }
        do {
            let folder = try configuration.stateFolder()
            let condition = try folder.examine()
            var findings: [Finding] = [
                .good(
                    name,
                    condition.exists
                        ? "\(folder.path) can be written to" : "\(folder.path) does not exist yet and can be made")
            ]
            if let holder = condition.holder {
                findings.append(
                    .warning(
                        name, "it is in use by \(holder)",
                        remedy: "another run needs a folder of its own, see --state-dir"))
            }
            return findings + outbox(in: folder) + [room(condition)] + volume(condition)
        } catch {
            return [.bad(name, error)]
        }
    }
}
