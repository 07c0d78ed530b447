using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Names;

namespace Decant.Controller.Execution;

/// <summary>What should run, read from the journal. Pure.</summary>
internal static class KnownDeployments
{
    /// <summary>How far back the journal is read.</summary>
    public const int Depth = 100;

    /// <summary>What the deployments of an app left behind.</summary>
    /// <param name="manifest">The manifest.</param>
    /// <param name="records">The app's deployments, newest first.</param>
    /// <param name="stepsOf">The steps of one.</param>
    public static KnownDeployment Of(
        DeploymentManifest manifest, IReadOnlyList<DeploymentRecord> records, Func<DeploymentId, IReadOnlyList<StepRecord>> stepsOf)
    {
        var releases = new Dictionary<HostName, ReleaseId>();
        // A repair brings hosts to what deployments meant: it decides nothing.
        var done = records.Where(r => r is { Status: DeploymentStatus.Succeeded, Intent: not PlanIntent.Repair }).ToList();
        foreach (var record in done)
        {
            foreach (var (host, release) in Left(manifest, record)) releases.TryAdd(host, release);
        }

        // An unfinished repair is taken up by the next one, which looks at what is there.
        var unfinished = records.Count > 0 && (records[0].Status == DeploymentStatus.Running || records[0] is { IsUnfinished: true, Intent: not PlanIntent.Repair }) ? records[0] : null;
        return new KnownDeployment(
            done.FirstOrDefault()?.Id,
            releases,
            unfinished is null ? null : new UnfinishedDeployment(
                unfinished.Id,
                Where(unfinished, stepsOf(unfinished.Id)),
                Mend(unfinished),
                unfinished.Status == DeploymentStatus.Running,
                unfinished.Cutovers.ToDictionary(c => c.Host, c => (c.From, c.To))));
    }

    /// <summary>What a deployment left its hosts with, those included that ran it already.</summary>
    private static IEnumerable<(HostName Host, ReleaseId Release)> Left(DeploymentManifest manifest, DeploymentRecord record)
    {
        if (record is { Intent: PlanIntent.Deploy, Release: { } release })
            return manifest.Hosts.Select(h => h.Name).Where(h => record.Only is null || record.Only.Contains(h)).Select(h => (h, release));
        return record.Cutovers.Where(c => c.To is not null).Select(c => (c.Host, c.To!));
    }

    private static string Where(DeploymentRecord record, IReadOnlyList<StepRecord> steps)
    {
        var what = record.Intent switch
        {
            PlanIntent.Deploy => $"deploy {record.App} {record.Release?.Version}",
            PlanIntent.Repair => $"repair {record.App}",
            _ => $"roll {record.App} back",
        };
        var last = steps.Count > 0 ? steps[^1] : null;
        var at = last switch
        {
            null => "before its first step",
            { End: null } => $"at {last.Key}",
            { End.Succeeded: true } => $"after {last.Key}",
            _ => $"at {last.Key}, which {(last.End.State == StepState.Failed ? "failed" : "may or may not have been done")}",
        };
        return record.Status switch
        {
            DeploymentStatus.Running => $"{what} runs, {at}",
            DeploymentStatus.AwaitingPromotion => $"{what} waits for a decision on its canaries",
            DeploymentStatus.FailedPartly => $"{what} failed and was not wholly undone, {at}",
            DeploymentStatus.LeaseLost => $"{what} lost its lease {at}",
            DeploymentStatus.Interrupted => $"{what} was interrupted {at}",
            _ => $"{what} was stopped {at}",
        };
    }

    private static string Mend(DeploymentRecord record) => record.Status switch
    {
        DeploymentStatus.Running => $"decant show {record.Id}; wait for it, or decant pause {record.Id}",
        DeploymentStatus.AwaitingPromotion => $"decant promote {record.Id}, or decant abort {record.Id}",
        _ => record.Intent == PlanIntent.Deploy && !record.RollingBack ? $"decant resume {record.Id}, or decant rollback" : $"decant resume {record.Id}",
    };
}
