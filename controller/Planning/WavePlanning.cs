using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>A host that is going to change, before it has a place in a wave.</summary>
/// <param name="View">The host as it was seen.</param>
/// <param name="Target">The slot in which the release is to run.</param>
/// <param name="To">What is to run there; null for nothing.</param>
/// <param name="Why">Why it changes, for people.</param>
internal sealed record HostChange(HostView View, SlotSettings Target, ReleaseId? To, string Why)
{
    /// <summary>The host's name.</summary>
    public HostName Name => View.Host.Name;

    /// <summary>What serves there now; null when nothing does.</summary>
    public ReleaseId? From => View.Active?.Release;

    /// <summary>It takes requests: what takes it out, takes capacity away.</summary>
    public bool Serves => View.Serves;
}

/// <summary>Which hosts are cut over together, in which order, and how many others must be up meanwhile. Knows nothing of how a host is cut over.</summary>
/// <param name="manifest">The manifest.</param>
/// <param name="fleet">As it is now.</param>
/// <param name="isRollback">Hosts go back.</param>
/// <param name="leftOut">Hosts that run what is wanted already and are put back before anything else: they are up when the waves begin.</param>
internal sealed class WavePlanning(DeploymentManifest manifest, FleetObservation fleet, bool isRollback, IReadOnlyList<HostChange> leftOut)
{
    private readonly int batch = manifest.Strategy.Batch.AtMostOf(manifest.Hosts.Count);
    private readonly int minInRotation = manifest.Strategy.MinInRotation.AtLeastOf(manifest.Hosts.Count);
    private readonly HashSet<HostName> up = [.. Observed.Serving(manifest, fleet), .. leftOut.Select(c => c.Name)];
    private readonly List<(IReadOnlyList<HostChange> Hosts, IReadOnlyList<HostName> Outside)> waves = [];

    /// <summary>Hosts that cannot be taken out without falling below <c>min_in_rotation</c>.</summary>
    public IReadOnlyList<HostChange> Refused { get; private set; } = [];

    /// <summary>
    /// Rolling. Hosts that serve nothing go first, in waves of their own: they take no capacity away, and they show what the
    /// release does before a serving host is touched. The rest follows in the order given. "First" is said of them only where
    /// something follows.
    /// </summary>
    public IReadOnlyList<Wave> IdleFirst(IReadOnlyList<HostChange> changes)
    {
        var serving = changes.Where(c => c.Serves).ToList();
        var idle = changes.Where(c => !c.Serves).Select(c => serving.Count == 0 ? c : c with { Why = $"first: {c.Why}" }).ToList();
        Chunk(idle);
        Chunk(serving);
        return Numbered(Usual);
    }

    /// <summary>Hosts that only gain, in waves of their own, before those that are taken out.</summary>
    public IReadOnlyList<Wave> GainsFirst(IReadOnlyList<HostChange> gains, IReadOnlyList<HostChange> others)
    {
        Chunk(gains);
        Chunk(others);
        return Numbered(Usual);
    }

    /// <summary>In the order given.</summary>
    public IReadOnlyList<Wave> InOrder(IReadOnlyList<HostChange> changes)
    {
        Chunk(changes);
        return Numbered(Usual);
    }

    /// <summary>A first wave of its own for canaries, then the others.</summary>
    public IReadOnlyList<Wave> CanariesFirst(IReadOnlyList<HostChange> canaries, IReadOnlyList<HostChange> others)
    {
        Chunk(canaries);
        var first = waves.Count;
        Chunk(others.Where(c => !c.Serves));
        Chunk(others.Where(c => c.Serves));
        return Numbered(i => i < first ? "canary" : $"after the canaries, batch of {batch}");
    }

    /// <summary>The waves, behind one in which hosts that were left out of rotation are put back.</summary>
    public IReadOnlyList<Wave> PutBackFirst(IReadOnlyList<Wave> after) => leftOut.Count == 0 ? after :
    [
        new Wave(1, [.. leftOut.Select(c => new HostCutover(c.Name, c.From, c.To, c.Why, StepsOf(c, 0).All))]),
        .. after.Select(w => w with { Number = w.Number + 1 }),
    ];

    /// <summary>Whether canaries, and then the others, can be cut over without falling below <c>min_in_rotation</c>.</summary>
    public bool Allows(IReadOnlyList<HostChange> canaries, IReadOnlyList<HostChange> others)
    {
        var trial = new WavePlanning(manifest, fleet, isRollback, leftOut);
        trial.CanariesFirst(canaries, others);
        return trial.Refused.Count == 0;
    }

    /// <summary>The steps of a host, given how many other members must be up before it is drained.</summary>
    public CutoverSteps StepsOf(HostChange change, int minOthersUp)
        => new HostCutoverPlanning(manifest, fleet, change.View).Make(change.Target, change.To, minOthersUp, isRollback);

    private bool TakesAway(HostChange change)
        => change.Serves && !new HostCutoverPlanning(manifest, fleet, change.View).Make(change.Target, change.To, 0, isRollback).IsBeside;

    private void Chunk(IEnumerable<HostChange> changes)
    {
        // A host that is to be empty again, as before its first deployment, takes capacity away for good: when all others are back.
        var left = new Queue<HostChange>(changes.OrderBy(c => minInRotation > 0 && c.To is null && c.Serves));
        while (left.Count > 0)
        {
            var wave = new List<HostChange>();
            while (left.Count > 0 && wave.Count < batch && (!TakesAway(left.Peek()) || MayTakeOut(wave))) wave.Add(left.Dequeue());
            if (wave.Count == 0 && Refused.Count == 0 && left.Peek().To is null) wave.Add(left.Dequeue());
            if (wave.Count == 0)
            {
                // A deployment is refused as a whole; of a rollback each host counts that can go back.
                Refused = [.. Refused, left.Dequeue()];
                continue;
            }

            waves.Add((wave, [.. up.Except(wave.Select(c => c.Name))]));
            foreach (var change in wave)
            {
                if (change.To is null) up.Remove(change.Name);
                else up.Add(change.Name);
            }
        }
    }

    private bool MayTakeOut(List<HostChange> wave) => up.Count - wave.Count(TakesAway) - 1 >= minInRotation || minInRotation == 0;

    private string Usual(int index) => $"wave {index + 1} of {waves.Count}, batch of {batch}";

    private List<Wave> Numbered(Func<int, string> place) => [.. waves.Select((wave, i) => new Wave(
        i + 1, [.. wave.Hosts.Select(c => Place(c, wave.Hosts, wave.Outside.Count, place(i)))])
    {
        Others = wave.Outside,
        MinOthers = wave.Hosts.Any(TakesAway) ? Math.Min(minInRotation, wave.Outside.Count) : 0,
    })];

    private HostCutover Place(HostChange change, IReadOnlyList<HostChange> wave, int outside, string place)
    {
        var steps = StepsOf(change, MinOthersUp(change, wave, outside));
        var alone = change.Serves && outside == 0 && !steps.IsBeside && steps.Before.Any(s => s is StopStep)
            ? "; no other host serves meanwhile: requests fail from its stop until it is healthy again"
            : "";
        return new HostCutover(change.Name, change.From, change.To, $"{change.Why}; {place}{alone}", steps.All);
    }

    /// <summary>
    /// How many other members must be up before this one is drained. The hosts of a wave drain at the same time and count each
    /// other as others: only when as many others are up as hosts of the wave run can be sure that one of them is outside the wave.
    /// Never more than are expected outside the wave, or the last host of a wave could not be drained; so 0 when there is none
    /// (a single host, all hosts at once), and 0 where nothing runs, because draining that takes nothing away.
    /// </summary>
    private int MinOthersUp(HostChange change, IReadOnlyList<HostChange> wave, int outside)
        => change.From is null ? 0 : Math.Min(Math.Max(wave.Count(c => c.From is not null), minInRotation), outside);
}
