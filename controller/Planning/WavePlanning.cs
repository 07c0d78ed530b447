using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>A host that is going to change, before it has a place in a wave.</summary>
/// <param name="Host">The host, with the settings that it is to run with.</param>
/// <param name="From">What runs there now; null when nothing does.</param>
/// <param name="To">What is to run there; null for nothing.</param>
/// <param name="Serves">It runs and is healthy: cutting it over takes capacity away.</param>
/// <param name="Why">Why it changes, for people.</param>
internal sealed record HostChange(ManifestHost Host, ReleaseId? From, ReleaseId? To, bool Serves, string Why);

/// <summary>Rolling: which hosts are cut over together, and in which order. Knows nothing of how a host is cut over.</summary>
internal static class WavePlanning
{
    /// <summary>
    /// Hosts that serve nothing go first, in waves of their own: they take no capacity away, and they show what the
    /// release does before a serving host is touched. The rest follows in the order given. "First" is said of them only where
    /// something follows.
    /// </summary>
    public static IReadOnlyList<IReadOnlyList<HostChange>> IdleFirst(IReadOnlyList<HostChange> changes, int batch)
    {
        var serving = changes.Where(c => c.Serves).ToList();
        var idle = changes.Where(c => !c.Serves).Select(c => serving.Count == 0 ? c : c with { Why = $"first: {c.Why}" }).ToList();
        return [.. InOrder(idle, batch), .. InOrder(serving, batch)];
    }

    /// <summary>In the order given.</summary>
    public static IReadOnlyList<IReadOnlyList<HostChange>> InOrder(IReadOnlyList<HostChange> changes, int batch)
        => [.. changes.Chunk(batch)];

    /// <summary>How many hosts make a wave: a share is of all hosts of the manifest, rounded down, but at least one.</summary>
    public static int BatchOf(DeploymentManifest manifest) => manifest.Strategy.Batch switch
    {
        BatchSize.Count count => Math.Max(1, count.Hosts),
        BatchSize.Percent percent => Math.Max(1, manifest.Hosts.Count * percent.Share / 100),
        var other => throw new InvalidOperationException($"batch {other} is not known"),
    };

    /// <summary>Gives each wave its number, each host its reason and, by <paramref name="stepsOf"/>, its steps.</summary>
    /// <param name="waves">The hosts, wave by wave.</param>
    /// <param name="serving">Hosts of the whole fleet that serve now.</param>
    /// <param name="batch">For the reasons.</param>
    /// <param name="stepsOf">A host's steps, given how many other members must be up before it is drained.</param>
    public static IReadOnlyList<Wave> Number(
        IReadOnlyList<IReadOnlyList<HostChange>> waves,
        IReadOnlySet<HostName> serving,
        int batch,
        Func<HostChange, int, IReadOnlyList<Step>> stepsOf)
    {
        var up = new HashSet<HostName>(serving);
        var numbered = new List<Wave>(waves.Count);
        foreach (var wave in waves)
        {
            var place = $"wave {numbered.Count + 1} of {waves.Count}, batch of {batch}";
            var outside = up.Except(wave.Select(c => c.Host.Name)).Count();
            numbered.Add(new Wave(numbered.Count + 1, [.. wave.Select(c => Place(c, wave, outside, place, stepsOf))]));
            foreach (var change in wave)
            {
                if (change.To is null) up.Remove(change.Host.Name);
                else up.Add(change.Host.Name);
            }
        }

        return numbered;
    }

    private static HostCutover Place(
        HostChange change,
        IReadOnlyList<HostChange> wave,
        int outside,
        string place,
        Func<HostChange, int, IReadOnlyList<Step>> stepsOf)
    {
        var steps = stepsOf(change, MinOthersUp(change, wave, outside));
        var alone = change.Serves && outside == 0 && steps.Any(s => s is StopStep)
            ? "; no other host serves meanwhile: requests fail from its stop until it is healthy again"
            : "";
        return new HostCutover(change.Host.Name, change.From, change.To, $"{change.Why}; {place}{alone}", steps);
    }

    /// <summary>
    /// How many other members must be up before this one is drained. The hosts of a wave drain at the same time and count each
    /// other as others: only when as many others are up as hosts of the wave run can be sure that one of them is outside the wave.
    /// Never more than are expected outside the wave, or the last host of a wave could not be drained; so 0 when there is none
    /// (a single host, all hosts at once), and 0 where nothing runs, because draining that takes nothing away.
    /// </summary>
    private static int MinOthersUp(HostChange change, IReadOnlyList<HostChange> wave, int outside)
        => change.From is null ? 0 : Math.Min(wave.Count(c => c.From is not null), outside);
}
